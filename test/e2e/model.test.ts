/**
 * Random histories of TrafficControls, Pods and labels against the real cluster: after each batch of commands the copies on the wire
 * are those that the model says, each exactly once, and the Pods' own packets all arrive. The printed seed repeats it (SEED=…).
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { NODE_TRAFFIC_PLAN, type NodeTrafficPlan, type TrafficControl } from "@ovs-traffic-control/api";
import { seedOfRun } from "../support/random";
import { COLLECTOR_ADDRESS } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import * as model from "../support/e2e/model/model";
import type { Pod } from "../support/e2e/pods";
import { TEST_LABEL, mirror, ready, untap } from "../support/e2e/taps";
import { repliesFrom, requestsTo } from "../support/e2e/traffic";
import { IS_LONG } from "../support/slow";

const SECONDS = IS_LONG ? 600 : 20;
const PACKETS = 3;
const PATIENCE = { seconds: 60, pauseMilliseconds: 30 };
const { group, version, kind } = NODE_TRAFFIC_PLAN;

/** VNI of a tap's copies. */
const vniOf = (name: model.TapName): number => 90 + model.TAPS.indexOf(name);
const tapName = (name: model.TapName): string => `e2e-model-${name}`;

describe(`random histories for ${SECONDS} s`, function () {
  this.timeout((SECONDS + 300) * 1000);
  const running = new Map<model.PodName, Pod>();
  let batches = 0;

  before(async () => {
    const { objects } = stage();
    for (const namespace of model.NAMESPACES)
      await objects.apply({
        ...{ apiVersion: "v1", kind: "Namespace" },
        metadata: { name: namespaceOf(namespace), labels: { ...TEST_LABEL, ...model.OWN } },
      });
  });

  after(async () => {
    for (const namespace of model.NAMESPACES)
      await stage().objects.delete({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespaceOf(namespace) } });
  });

  it("are captured as the model says, after each batch of commands", async () => {
    const seed = seedOfRun();
    console.log(`      SEED=${seed}`);
    const end = Date.now() + SECONDS * 1000;
    // A busy machine gets the time for some batches.
    const isOver = (): boolean => Date.now() > end && batches > 3;
    const history = fc.array(model.batch, { minLength: 4, maxLength: 12 });
    const holds = fc.asyncProperty(history, async (all) => {
      if (isOver()) return;
      const state: model.Model = { taps: new Map(), pods: new Map(), namespaces: new Map() };
      await begin(state);
      for (const batch of all) {
        if (isOver()) return;
        for (const command of batch) await give(state, command);
        await settled(state);
        assert.deepEqual(await captured(), model.copies(state, PACKETS));
        batches += 1;
      }
    });
    // Shrinking would take hours: the history that has failed is printed as it is.
    await fc.assert(holds, { seed, numRuns: 1_000, endOnFailure: true });
    console.log(`      ${batches} batches`);
  });

  /** No taps, no labels, all Pods. */
  async function begin(state: model.Model): Promise<void> {
    for (const name of model.TAPS) await untap(stage().objects, tapName(name));
    for (const namespace of model.NAMESPACES) await give(state, { do: "label a Namespace", namespace, labels: {} });
    for (const pod of Object.keys(model.PODS) as model.PodName[]) {
      if (running.has(pod)) {
        state.pods.set(pod, {});
        await give(state, { do: "label a Pod", pod, labels: {} });
      } else await give(state, { do: "start or stop a Pod", pod });
    }
  }

  /** Gives the command to the cluster, and to the model. */
  async function give(state: model.Model, command: model.Command): Promise<void> {
    const { objects } = stage();
    switch (command.do) {
      case "tap":
        await objects.apply(manifest(command.name, command.tap));
        break;
      case "untap":
        await untap(objects, tapName(command.name));
        break;
      case "label a Pod":
        if (state.pods.has(command.pod)) {
          const metadata = { ...metadataOf(command.pod), labels: onlyThese(command.labels) };
          await objects.patch({ apiVersion: "v1", kind: "Pod", metadata });
        }
        break;
      case "label a Namespace": {
        const metadata = { name: namespaceOf(command.namespace), labels: onlyThese(command.labels) };
        await objects.patch({ apiVersion: "v1", kind: "Namespace", metadata });
        break;
      }
      case "start or stop a Pod":
        await (state.pods.has(command.pod) ? stop(command.pod) : start(command.pod));
    }
    model.apply(state, command);
  }

  async function start(pod: model.PodName): Promise<void> {
    const node = stage().web[model.PODS[pod]].node;
    running.set(pod, await stage().startPod({ ...metadataOf(pod), node }));
  }

  async function stop(pod: model.PodName): Promise<void> {
    running.delete(pod);
    await stage().objects.delete({ apiVersion: "v1", kind: "Pod", metadata: metadataOf(pod) }, 0);
  }

  /** Every node has confirmed a plan that has each Pod with its rules, and the TrafficControls say so. */
  async function settled(state: model.Model): Promise<void> {
    const wanted = new Map<string, string[]>();
    for (const [name, tap] of state.taps)
      for (const pod of model.selected(state, tap)) wanted.set(pod, [...(wanted.get(pod) ?? []), tapName(name)]);
    await eventually(
      "the plans are those of the model, and confirmed",
      async () => {
        const plans = await stage().objects.list<NodeTrafficPlan>(`${group}/${version}`, kind);
        const found = plans.flatMap(({ spec }) =>
          spec.pods.map((pod) => [pod.name, spec.classes[pod.class]!.rules.map((rule) => spec.rules[rule]!.name)]),
        );
        const sorted = (entries: unknown[][]): unknown[][] =>
          entries.map(([pod, rules]) => [pod, [...(rules as string[])].sort()]).sort();
        assert.deepEqual(sorted(found), sorted([...wanted]));
        for (const { spec, status } of plans) assert.equal(status?.observedHash, spec.hash);
        return true;
      },
      PATIENCE,
    );
    for (const [name, tap] of state.taps) {
      const count = model.selected(state, tap).length;
      await eventually(
        `${name} is Ready with ${count} Pods`,
        async () => {
          const { status, metadata } = await ready(stage().objects, tapName(name));
          assert.deepEqual([status?.selectedPods, status?.observedGeneration], [count, metadata.generation]);
          return true;
        },
        PATIENCE,
      );
    }
  }

  /** Sends some echo requests to each Pod, all answered, and counts the copies. */
  async function captured(): Promise<Record<string, number>> {
    const { client, collector } = stage();
    const capture = await collector.capture();
    try {
      const pings = [...running.values()].map(
        ({ address }) => `(busybox ping -q -c ${PACKETS} -i 0.01 -W 5 ${address} || echo failed: ${address}) &`,
      );
      const output = await client.run(`${pings.join("\n")}\nwait`);
      const answered = output.split(`${PACKETS} packets transmitted, ${PACKETS} packets received`).length - 1;
      assert.equal(answered, running.size, output);
      const packets = await capture.stop();
      const found: Record<string, number> = {};
      for (const name of model.TAPS) {
        const own = packets.filter(({ tunnel }) => tunnel?.vni === vniOf(name));
        for (const [pod, { address }] of running) {
          const [requests, replies] = [requestsTo(own, address).length, repliesFrom(own, address).length];
          if (requests > 0) found[`${name}: requests to ${pod}`] = requests;
          if (replies > 0) found[`${name}: replies of ${pod}`] = replies;
        }
      }
      return found;
    } finally {
      await capture.discard();
    }
  }
});

function namespaceOf(namespace: string): string {
  return `${stage().namespace}-${namespace}`;
}

function metadataOf(pod: model.PodName): { name: string; namespace: string } {
  return { name: pod, namespace: namespaceOf(pod[0]!) };
}

/** Removes the other labels of the model. */
function onlyThese(labels: Record<string, string>): Record<string, string | null> {
  return Object.fromEntries(model.KEYS.map((key) => [key, labels[key] ?? null]));
}

function manifest(name: model.TapName, { direction, podSelector, namespaceSelector }: model.Tap): TrafficControl {
  const own = { ...namespaceSelector, matchLabels: { ...namespaceSelector.matchLabels, ...model.OWN } };
  const target = { vxlan: { remoteIP: COLLECTOR_ADDRESS, vni: vniOf(name) } };
  return mirror(tapName(name), target, { direction, appliedTo: { podSelector, namespaceSelector: own } });
}
