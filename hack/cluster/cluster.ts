/** A running cluster as demo, tests and benchmarks use it. */
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { execa } from "execa";
import path from "node:path";
import { binaries } from "../toolchain";
import { importImages } from "./containerd";
import { inside } from "./namespaces";
import { NETWORKS, type NetworkName } from "./network";
import { insideNode } from "./node";
import { DEFAULT_NAME, nodeName, Places } from "./places";
import { runningPid } from "./programs";
import { bootId, readState } from "./state";

export interface RunOptions {
  input?: string;
  env?: Record<string, string>;
  /** Milliseconds; then the command is killed. */
  timeout?: number;
}

export interface RunResult {
  stdout: string;
  stderr: string;
  /** 128 and more: ended by a signal or by the timeout. */
  exitCode: number;
}

export class Cluster {
  private constructor(
    private readonly places: Places,
    /** "node-1" and so on. */
    readonly nodes: string[],
    /** What the Pods hang on. */
    readonly network: NetworkName,
    private readonly binaryDirectory: string,
  ) {}

  /** Finds a running cluster; throws with advice if there is none. */
  static async open(name = DEFAULT_NAME): Promise<Cluster> {
    const places = new Places(name);
    const state = await readState(places);
    if (state?.boot !== bootId() || runningPid(places, "kube-apiserver") === undefined)
      throw new Error(`There is no running cluster "${name}". Start it: npm run cluster -- up --name ${name}`);
    const nodes = Array.from({ length: state.nodes }, (_, index) => nodeName(index + 1));
    return new Cluster(places, nodes, state.network, path.dirname((await binaries()).kubectl));
  }

  get name(): string {
    return this.places.name;
  }
  /** For processes inside the machine's namespace. */
  get kubeconfig(): string {
    return this.places.kubeconfig;
  }
  /** Name for `ip netns`: the namespace with the control plane and the underlay bridge ul0, 172.31.0.1/24. */
  get machineNamespace(): string {
    return this.places.machineNamespace;
  }
  /** Name for `ip netns`. */
  nodeNamespace(node: string): string {
    return this.places.nodeNamespace(this.known(node));
  }

  /** Process id of a program by its name in `status`, such as "etcd" or "node-1-kubelet"; undefined if it does not run. */
  pidOf(program: string): number | undefined {
    return runningPid(this.places, program);
  }

  /** Standard output of kubectl; throws with its standard error. */
  async kubectl(args: string[], { input }: { input?: string } = {}): Promise<string> {
    const result = await this.host("kubectl", args, { input });
    if (result.exitCode === 0) return result.stdout;
    throw new Error(`kubectl ${args.join(" ")} ended with ${result.exitCode}: ${result.stderr.trim()}`);
  }

  /** Runs a command in the machine's namespace, with KUBECONFIG set and kubectl on its PATH. */
  host(command: string, args: string[] = [], options: RunOptions = {}): Promise<RunResult> {
    return run(this.hostCommand(command, args), this.environment(options.env), options);
  }

  /** Runs a command in a node's network and mount namespace. */
  exec(node: string, command: string, args: string[] = [], options: RunOptions = {}): Promise<RunResult> {
    return run(this.nodeCommand(node, command, args), this.environment(options.env), options);
  }

  /** Like `host`, for what runs longer. The caller ends it. */
  spawnHost(command: string, args: string[] = [], options: SpawnOptions = {}): ChildProcess {
    const [file, ...rest] = this.hostCommand(command, args);
    return spawn(file, rest, { ...options, env: this.environment(options.env) });
  }

  /** Like `exec`, for what runs longer. The caller ends it. */
  spawnNode(node: string, command: string, args: string[] = [], options: SpawnOptions = {}): ChildProcess {
    const [file, ...rest] = this.nodeCommand(node, command, args);
    return spawn(file, rest, { ...options, env: this.environment(options.env) });
  }

  /** Loads an image archive (OCI or Docker) into every node. */
  async load(archive: string): Promise<void> {
    await importImages(this.places, this.nodes, path.resolve(archive));
  }

  private hostCommand(command: string, args: string[]): [string, ...string[]] {
    return inside({ network: this.machineNamespace }, [command, ...args]);
  }

  private nodeCommand(node: string, command: string, args: string[]): [string, ...string[]] {
    return inside(insideNode(this.places, this.known(node)), [command, ...args]);
  }

  private known(node: string): string {
    if (this.nodes.includes(node)) return node;
    throw new Error(`Cluster ${this.name} has no node "${node}"; it has ${this.nodes.join(", ")}`);
  }

  private environment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const PATH = `${this.binaryDirectory}:${process.env["PATH"] ?? ""}`;
    const own = { KUBECONFIG: this.kubeconfig, CONTAINERD_NAMESPACE: "k8s.io", ...NETWORKS[this.network].environment };
    return { ...process.env, ...own, PATH, ...extra };
  }
}

async function run(
  [file, ...args]: [string, ...string[]],
  env: NodeJS.ProcessEnv,
  options: RunOptions,
): Promise<RunResult> {
  const { input, timeout } = options;
  const stdin = input === undefined ? { stdin: "ignore" as const } : { input };
  const result = await execa(file, args, { env, timeout, ...stdin, reject: false, stripFinalNewline: false });
  return {
    stdout: result.stdout,
    stderr: result.stderr || (result.originalMessage ?? ""),
    exitCode: result.exitCode ?? 128,
  };
}
