/** `capture NAME`: a Pod on each node of the TrafficControl, whose tcpdump is read until there is enough. Called by main.ts. */
import { createInterface } from "node:readline";
import type { NodeTrafficPlan } from "@ovs-traffic-control/api";
import { Failure, PLANS, type Kubectl } from "../kubectl";
import { CopyReader, type Copy } from "./copies";
import { capturePod } from "./pod";
import { whereToLook, type Where } from "./where";

export { CopyReader, type Copy } from "./copies";
export { capturePod } from "./pod";
export { tcpdump, whereToLook } from "./where";

export interface CaptureOptions {
  /** Of the TrafficControl. */
  name: string;
  /** Where the capturing Pods run. */
  namespace: string;
  image: string;
  /** Ends after so many copies of all nodes together; Infinity. */
  count: number;
  node?: string;
  /** Of the Pod that is asked for. */
  addresses?: readonly string[];
  onCopy: (node: string, copy: Copy) => void;
  onProgress: (text: string) => void;
  signal: AbortSignal;
}

interface Look {
  node: string;
  where: Where;
}

/** tcpdump prints a packet in one go. */
const REST_OF_PACKET_MS = 100;
const START_SECONDS = 90;

/** Resolves with the number of copies that have been seen. The Pods are gone then, whatever has happened. */
export async function capture(kubectl: Kubectl, options: CaptureOptions): Promise<number> {
  const { name, namespace, image, signal } = options;
  const looks = looksOf(await kubectl.list<NodeTrafficPlan>(PLANS), options);
  const suffix = Date.now().toString(36);
  const pods = looks.map((look, index) => ({ look, pod: `trafficcontrol-capture-${suffix}-${index}` }));
  let seen = 0;
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  const onCopy = (node: string, copy: Copy): void => {
    if (seen >= options.count) return;
    seen += 1;
    options.onCopy(node, copy);
    if (seen >= options.count) done.abort();
  };
  try {
    const objects = pods.map(({ look, pod }) => capturePod({ name: pod, namespace, image, ...look }));
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
    await create(kubectl, list, namespace);
    await Promise.all(
      pods.map(async ({ look, pod }) => {
        await started(kubectl, pod, options, stop);
        if (!stop.aborted) await follow(kubectl, pod, look, { ...options, onCopy }, stop);
      }),
    );
  } finally {
    const names = pods.map(({ pod }) => pod);
    await kubectl.ask(["delete", "pod", "-n", namespace, "--ignore-not-found", "--wait=false", "--now", ...names]);
  }
  if (!stop.aborted) throw new Failure(`The capture of TrafficControl ${name} has ended by itself; see above.`);
  return seen;
}

function looksOf(plans: readonly NodeTrafficPlan[], { name, node: wanted }: CaptureOptions): Look[] {
  const looks = plans.flatMap(({ metadata, spec }): Look[] => {
    const rule = spec.rules.find((each) => each.name === name);
    const node = metadata.name ?? "";
    if (rule === undefined || (wanted !== undefined && wanted !== node)) return [];
    return [{ node, where: whereToLook(rule.targetPort) }];
  });
  if (looks.length > 0) return looks;
  const where = wanted === undefined ? "on no node" : `not on node ${wanted}`;
  throw new Failure(`TrafficControl ${name} is in force ${where}. See: kubectl trafficcontrol status ${name}`);
}

async function create(kubectl: Kubectl, list: string, namespace: string): Promise<void> {
  const { exitCode, stderr } = await kubectl.ask(["create", "-f", "-"], list);
  if (exitCode === 0) return;
  const hint = stderr.includes("PodSecurity")
    ? `\nThe Namespace ${namespace} does not admit Pods in the host's network. Name one that does: -n NAMESPACE`
    : "";
  throw new Failure(`The capturing Pods cannot be made: ${stderr.trim()}${hint}`);
}

async function started(kubectl: Kubectl, pod: string, options: CaptureOptions, stop: AbortSignal): Promise<void> {
  const { namespace, image } = options;
  const wait = ["wait", "--for=condition=Ready", `pod/${pod}`, "-n", namespace, `--timeout=${START_SECONDS}s`];
  const { exitCode, stderr } = await kubectl.ask(wait);
  if (exitCode === 0 || stop.aborted) return;
  const state = "jsonpath={.status.containerStatuses[0].state}";
  const [{ stdout }, logs] = await Promise.all([
    kubectl.ask(["get", "pod", pod, "-n", namespace, "-o", state]),
    kubectl.ask(["logs", pod, "-n", namespace]),
  ]);
  const seen = [stderr.trim(), stdout, logs.stdout.trim()].filter((text) => text !== "").join("\n");
  throw new Failure(
    `The capturing Pod does not run:\n${seen}\nDo the nodes get the image ${image}, and has it tcpdump? Name another: --image`,
  );
}

function follow(kubectl: Kubectl, pod: string, look: Look, options: CaptureOptions, stop: AbortSignal): Promise<void> {
  const { node, where } = look;
  const reader = new CopyReader(where, options.addresses);
  const child = kubectl.spawn(["logs", "--follow", pod, "-n", options.namespace]);
  const end = (): void => void child.kill();
  stop.addEventListener("abort", end);
  let rest: NodeJS.Timeout | undefined;
  const report = (copy: Copy | undefined): void => {
    if (copy !== undefined) options.onCopy(node, copy);
  };
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream! }).on("line", (line) => {
      clearTimeout(rest);
      if (line.startsWith("listening on ")) options.onProgress(`${node}: ${line.replace(/,.*/, "")}`);
      else if (/^tcpdump: |^error: /.test(line)) options.onProgress(`${node}: ${line}`);
      else report(reader.line(line));
      rest = setTimeout(() => report(reader.flush()), REST_OF_PACKET_MS);
    });
  return new Promise((resolve) => {
    child.once("close", () => {
      clearTimeout(rest);
      stop.removeEventListener("abort", end);
      resolve();
    });
  });
}
