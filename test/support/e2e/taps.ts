/** TrafficControls of the end-to-end tests and the benchmarks: how they are made, awaited and removed. */
import { CONDITIONS, TRAFFIC_CONTROL } from "@ovs-traffic-control/api";
import type { Condition, TrafficControl, TrafficControlSpec } from "@ovs-traffic-control/api";
import { eventually } from "./eventually";
import type { Objects, Reference } from "./objects";

const API_VERSION = `${TRAFFIC_CONTROL.group}/${TRAFFIC_CONTROL.version}`;

/** A healthy machine needs one or two; a busy one gets the time it needs, so that a failure is one. */
const SECONDS = 45;

/** On every object that the tests make, so that what a crashed run has left is found. */
export const TEST_LABEL = { "app.kubernetes.io/part-of": "ovs-traffic-control-e2e" };

export function tapReference(name: string): Reference {
  return { apiVersion: API_VERSION, kind: TRAFFIC_CONTROL.kind, metadata: { name } };
}

/** A mirror of every packet of the Pods labelled app=web, unless `spec` says otherwise. */
export function mirror(
  name: string,
  targetPort: TrafficControlSpec["targetPort"],
  spec: Partial<TrafficControlSpec> = {},
): TrafficControl {
  return {
    apiVersion: API_VERSION,
    kind: TRAFFIC_CONTROL.kind,
    metadata: { name, labels: TEST_LABEL },
    spec: {
      appliedTo: { podSelector: { matchLabels: { app: "web" } } },
      direction: "Both",
      action: "Mirror",
      targetPort,
      ...spec,
    },
  };
}

/** Applies it and waits until it is in force on every node. */
export async function tap(objects: Objects, wanted: TrafficControl): Promise<TrafficControl> {
  const { generation } = (await objects.apply(wanted)).metadata;
  return ready(objects, wanted.metadata.name!, generation);
}

/** Waits for Ready=True; for this generation, if one is given. */
export function ready(objects: Objects, name: string, generation?: number): Promise<TrafficControl> {
  return eventually(
    `TrafficControl ${name} is Ready`,
    async () => {
      const found = await readTap(objects, name);
      const upToDate = generation === undefined || (found?.status?.observedGeneration ?? -1) >= generation;
      if (upToDate && condition(found, CONDITIONS.ready)?.status === "True") return found;
      throw new Error(`its status is ${JSON.stringify(found?.status)}`);
    },
    { seconds: SECONDS },
  );
}

export function readTap(objects: Objects, name: string): Promise<TrafficControl | undefined> {
  return objects.read<TrafficControl>(tapReference(name));
}

export function condition(tap: TrafficControl | undefined, type: string): Condition | undefined {
  return tap?.status?.conditions?.find((each) => each.type === type);
}

/** Deletes it and waits until it is gone, which means: no node taps for it any more. */
export async function untap(objects: Objects, name: string): Promise<void> {
  await objects.delete(tapReference(name));
  await eventually(
    `TrafficControl ${name} is gone`,
    async () => {
      const left = await readTap(objects, name);
      if (left)
        throw new Error(`finalizers ${JSON.stringify(left.metadata.finalizers)}, ${JSON.stringify(left.status)}`);
      return true;
    },
    { seconds: SECONDS, pauseMilliseconds: 20 },
  );
}

/** Removes every TrafficControl of the tests. */
export async function untapAll(objects: Objects): Promise<void> {
  const [[key, value]] = Object.entries(TEST_LABEL) as [[string, string]];
  const left = await objects.list<TrafficControl>(API_VERSION, TRAFFIC_CONTROL.kind, undefined, `${key}=${value}`);
  await Promise.all(left.map(({ metadata }) => untap(objects, metadata.name!)));
}
