/**
 * The cluster as the plugin sees it: through kubectl itself, so that kubeconfig, credentials and their plugins are those that the
 * user has anyway. Made by main.ts, handed to every verb.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { NODE_TRAFFIC_PLAN, TRAFFIC_CONTROL } from "@ovs-traffic-control/api";

/** Of kubectl's own options, those that say which cluster, and as whom. */
export interface ConnectionOptions {
  kubeconfig?: string;
  context?: string;
  as?: string;
}

export interface Answer {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** What went wrong and what to do next, for the user; printed without a stack. */
export class Failure extends Error {}

const plural = ({ plural, group }: { plural: string; group: string }): string => `${plural}.${group}`;
/** As kubectl is asked for them: another API group may have the same plural. */
export const TRAFFIC_CONTROLS = plural(TRAFFIC_CONTROL);
export const PLANS = plural(NODE_TRAFFIC_PLAN);

export class Kubectl {
  private readonly connection: string[];

  constructor(
    { kubeconfig, context, as }: ConnectionOptions,
    private readonly program = "kubectl",
  ) {
    const options = { "--kubeconfig": kubeconfig, "--context": context, "--as": as };
    this.connection = Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  }

  /** Runs kubectl and returns what came of it, whatever that is. */
  async ask(args: readonly string[], input?: string): Promise<Answer> {
    const child = this.spawn(args);
    const text = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (text.stdout += chunk));
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (text.stderr += chunk));
    child.stdin?.on("error", () => undefined).end(input ?? "");
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once("error", (error) =>
        reject(new Failure(`${this.program} cannot be started (${error.message}): put it on your PATH.`)),
      );
      child.once("close", (code) => resolve(code ?? 1));
    });
    return { exitCode, ...text };
  }

  /** Standard output; throws what kubectl says. */
  async run(args: readonly string[], input?: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.ask(args, input);
    if (exitCode === 0) return stdout;
    throw new Failure(explained(`kubectl ${args.join(" ")}: ${stderr.trim()}`));
  }

  async list<T>(resource: string, ...more: string[]): Promise<T[]> {
    return (JSON.parse(await this.run(["get", resource, "-o", "json", ...more])) as { items: T[] }).items;
  }

  /** undefined if there is no such object. */
  async get<T>(resource: string, name: string, ...more: string[]): Promise<T | undefined> {
    const text = await this.run(["get", resource, name, "-o", "json", "--ignore-not-found", ...more]);
    return text.trim() === "" ? undefined : (JSON.parse(text) as T);
  }

  /** For what runs longer; its own session, so that Ctrl-C reaches it only through us. */
  spawn(args: readonly string[]): ChildProcess {
    return spawn(this.program, [...this.connection, ...args], { stdio: ["pipe", "pipe", "pipe"], detached: true });
  }

  /** The Namespace of the current context, as kubectl takes it. */
  async currentNamespace(): Promise<string> {
    const answer = await this.run(["config", "view", "--minify", "-o", "jsonpath={..namespace}"]);
    return answer.trim() || "default";
  }
}

/** kubectl's words, and what they mean here. */
function explained(said: string): string {
  if (/the server doesn't have a resource type/.test(said))
    return `${said}\nIs ovs-traffic-control installed in this cluster? Look at: kubectl config current-context`;
  if (/is forbidden|Forbidden/.test(said))
    return `${said}\nAsk for a binding to the ClusterRole ovs-traffic-control-viewer; docs/guide/kubectl-plugin.md says what each verb needs.`;
  return said;
}
