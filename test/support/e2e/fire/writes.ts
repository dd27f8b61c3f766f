/** Whether anybody of the operator still writes: versions of everything that it writes to, but for the Lease and packet counters. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Objects, Reference } from "../objects";

const WRITTEN: [apiVersion: string, kind: string, namespace?: string][] = [
  ["crd.antrea.io/v1alpha2", "TrafficControl"],
  ["ovs-traffic-control.dev/v1alpha1", "NodeTrafficPlan"],
  ["batch/v1", "Job", "ovs-traffic-control-nodes"],
  ["v1", "ConfigMap", "ovs-traffic-control-nodes"],
  ["v1", "Secret", "ovs-traffic-control"],
  ["admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"],
  ["admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"],
];

interface Found extends Reference {
  metadata: { name: string; uid: string; resourceVersion: string; generation?: number };
  spec?: unknown;
  status?: { rules?: Record<string, unknown>[] };
}

/** Fails if something is written within so many seconds. */
export async function assertNoWrites(objects: Objects, seconds: number): Promise<void> {
  const before = await versions(objects);
  await sleep(seconds * 1000);
  assert.deepEqual(await versions(objects), before, `nothing is written within ${seconds} s`);
}

async function versions(objects: Objects): Promise<string[]> {
  const lists = await Promise.all(
    WRITTEN.map(async ([apiVersion, kind, namespace]) => {
      const found = await objects.list<Found>(apiVersion, kind, namespace);
      return found.map((object) => `${kind} ${object.metadata.name} ${versionOf(kind, object)}`);
    }),
  );
  return lists.flat();
}

/** Nodes report once a minute what their flows have counted. */
function versionOf(kind: string, { metadata, spec, status }: Found): string {
  if (kind !== "NodeTrafficPlan") return `${metadata.uid} ${metadata.resourceVersion}`;
  const rules = status?.rules?.map((rule) => ({ ...rule, packets: 0, bytes: 0 }));
  return JSON.stringify([metadata.uid, metadata.generation, spec, { ...status, rules }]);
}
