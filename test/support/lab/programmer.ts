/**
 * The real node programmer on a node of the lab: the bundled program in the node's network namespace, with a plan from a
 * file instead of the API server. Used by tests through Lab.program.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Direction, NodeTrafficPlan, PlanPort, PlanSpec, PlanStatus } from "@ovs-traffic-control/api";
import { PATIENCE_FACTOR } from "../patience";
import { within } from "./command";
import type { LabNode } from "./node";

/** One TrafficControl of a plan. */
export interface LabRule {
  name: string;
  direction: Direction;
  targetPort: PlanPort;
  /** Makes it a Redirect. */
  returnPort?: PlanPort;
  /** Its Pods on the node. */
  pods: readonly PlannedPod[];
}

/** What a plan says of a Pod; a LabPod is one. */
export interface PlannedPod {
  name: string;
  uid: string;
  /** As the API knows them; absent if they are to be read from its network namespace. */
  macs?: readonly string[];
}

/** Milliseconds for a plan to be in force. */
const PATIENCE = 20_000 * PATIENCE_FACTOR;

/** How the process is started, other than resident and with the Job's defaults. */
export interface LabRun {
  /** Apply the plan once and end. */
  once?: boolean;
  /** Seconds to stay with an empty plan; 300 if absent. */
  lingerSeconds?: number;
  /** More of its environment. */
  env?: Readonly<Record<string, string>>;
  /** Network namespace that it takes for the node's; the node's own if absent. */
  namespace?: string;
  /** Words before the program's: another user, for example. */
  as?: readonly string[];
}

export class LabProgrammer {
  private output = "";
  private generation = 0;
  private child: ChildProcess | null = null;

  constructor(
    private readonly node: LabNode,
    private readonly program: string,
    private readonly directory: string,
    /** Of its plan and status files. */
    private readonly name = node.name,
  ) {}

  /** Starts the process; the plan, if there is one from before, is still there. */
  start({ once = false, lingerSeconds = 300, env = {}, namespace = this.node.namespace, as = [] }: LabRun = {}): void {
    const args = [
      this.program,
      "--plan",
      this.file("plan"),
      "--status",
      this.file("status"),
      ...(once ? ["--once"] : []),
    ];
    const child = spawn("ip", within(namespace, "env", [...as, process.execPath, ...args]), {
      env: { ...process.env, OVS_RUNDIR: this.node.runDir, LINGER_SECONDS: String(lingerSeconds), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    this.output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (this.output += text));
  }

  /** Puts a plan in place and waits until the node reports that it is in force. `collectors`: those of the whole cluster. */
  async apply(rules: readonly LabRule[], collectors?: PlanSpec["collectors"]): Promise<PlanStatus> {
    const { hash } = await this.put(planOf(rules, collectors));
    return this.status((status) => status.observedHash === hash);
  }

  /** Puts a plan in place, with the status that its object has. */
  async put(spec: PlanSpec, status?: PlanStatus): Promise<PlanSpec> {
    const plan = { metadata: { name: this.node.name, generation: ++this.generation }, spec, status };
    await writeFile(`${this.file("plan")}.new`, JSON.stringify(plan));
    await rename(`${this.file("plan")}.new`, this.file("plan"));
    return spec;
  }

  /** Waits for a status for which the test is true. */
  async status(test: (status: PlanStatus) => boolean): Promise<PlanStatus> {
    const deadline = Date.now() + PATIENCE;
    let last: PlanStatus = {};
    while (Date.now() < deadline) {
      last = await this.read();
      if (test(last)) return last;
      if (this.child?.exitCode !== null) break;
      await sleep(5);
    }
    throw new Error(
      `The programmer on ${this.node.name} did not get there. Its status: ${JSON.stringify(last, null, 2)}\nIts log:\n${this.output}`,
    );
  }

  /** Waits until the process has ended by itself and returns its exit code. */
  async exit(): Promise<number | null> {
    const { child } = this;
    if (child?.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child?.exitCode ?? null;
  }

  /** Ends the process and returns its exit code; null if the signal ended it. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
    return child.exitCode;
  }

  get pid(): number {
    return this.child?.pid ?? NaN;
  }

  /** What it has logged since it was started last. */
  get log(): string {
    return this.output;
  }

  private file(kind: string): string {
    return path.join(this.directory, `${this.name}.${kind}.json`);
  }

  /** The status as it is now. */
  async read(): Promise<PlanStatus> {
    try {
      return JSON.parse(await readFile(this.file("status"), "utf8")) as PlanStatus;
    } catch {
      return {};
    }
  }
}

/**
 * The program as the image has it, made once for all labs of a process: started from source it would take half a second.
 * LAB_PROGRAMMER names one that is ready, where esbuild is not at hand.
 */
let bundled: Promise<string> | null = null;

export async function bundleProgrammer(directory: string): Promise<string> {
  const ready = process.env["LAB_PROGRAMMER"];
  if (ready !== undefined) return ready;
  bundled ??= bundle();
  const file = path.join(directory, "node-programmer.mjs");
  await writeFile(file, await bundled);
  return file;
}

async function bundle(): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, "../../../packages/node-programmer/src/main.ts")],
    write: false,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
    banner: {
      js: `import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);`,
    },
  });
  return outputFiles[0]!.text;
}

/** The plan of these TrafficControls; equal rules give an equal hash. */
export function planOf(rules: readonly LabRule[], collectors?: PlanSpec["collectors"]): PlanSpec {
  const classes: PlanSpec["classes"] = [];
  const pods: PlanSpec["pods"] = [];
  const sets = rules.map((rule) => new Set(rule.pods));
  for (const pod of new Set(rules.flatMap((rule) => rule.pods))) {
    const mine = sets.flatMap((set, index) => (set.has(pod) ? [index] : []));
    let index = classes.findIndex((each) => each.rules.join() === mine.join());
    if (index < 0) index = classes.push({ rules: mine }) - 1;
    const macs = pod.macs ? { macs: [...pod.macs] } : {};
    pods.push({ namespace: "lab", name: pod.name, uid: pod.uid, class: index, ...macs });
  }
  const spec: Omit<NodeTrafficPlan["spec"], "hash"> = {
    nodeUID: "lab",
    pods,
    rules: rules.map(({ name, direction, targetPort, returnPort }) => ({
      name,
      uid: `uid-${name}`,
      generation: 1,
      direction,
      action: returnPort ? "Redirect" : "Mirror",
      targetPort,
      ...(returnPort ? { returnPort } : {}),
    })),
    classes,
    ...(collectors === undefined ? {} : { collectors }),
  };
  return { ...spec, hash: createHash("sha256").update(JSON.stringify(spec)).digest("hex").slice(0, 32) };
}
