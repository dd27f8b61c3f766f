import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compileMatcher,
  isSelectable,
  match,
  SelectionIndex,
  type NamespaceFacts,
  type PodFacts,
  type SelectorFacts,
} from "../../../capabilities/selection";
import { labelsArbitrary, selectorArbitrary, simpleSelectorArbitrary } from "./arbitraries";
import { sampleNamespace, samplePod, sampleSelector } from "./samples";

const NO_OPERATOR = new Set<string>();

function filled(): SelectionIndex {
  const index = new SelectionIndex(NO_OPERATOR);
  index.setNamespace("default", sampleNamespace());
  index.setTrafficControl("tap", sampleSelector());
  index.setPod("default/web-1", samplePod());
  index.setPod("default/web-2", samplePod({ name: "web-2", node: "node-2" }));
  index.takeDirty();
  return index;
}

function dirtyNodes(index: SelectionIndex): string[] {
  return [...index.takeDirty().nodes].sort();
}

describe("SelectionIndex", () => {
  it("counts Pods per node", () => {
    const { nodes, pods, collectors } = filled().selectionOf("tap");
    assert.deepEqual(
      [[...nodes], pods, collectors],
      [
        [
          ["node-1", 1],
          ["node-2", 1],
        ],
        2,
        [],
      ],
    );
  });

  it("makes no node dirty by a Pod that nothing selects", () => {
    const index = filled();
    index.setPod("default/db", samplePod({ name: "db", labels: {} }));
    index.setPod("default/db", undefined);
    assert.deepEqual(dirtyNodes(index), []);
  });

  it("makes no node dirty by a change that no plan shows", () => {
    const index = filled();
    index.setPod("default/web-1", samplePod({ labels: { app: "web", other: "label" } }));
    assert.deepEqual(dirtyNodes(index), []);
  });

  it("makes a node dirty when a selected Pod gets its address", () => {
    const index = filled();
    index.setPod("default/web-1", samplePod({ addresses: ["10.244.1.6"] }));
    assert.deepEqual(dirtyNodes(index), ["node-1"]);
  });

  it("makes a node dirty when one Pod replaces another under the same name", () => {
    const index = filled();
    index.setPod("default/web-1", samplePod({ uid: "another" }));
    assert.deepEqual(dirtyNodes(index), ["node-1"]);
  });

  it("makes both nodes dirty when a Pod of the same name is on another one", () => {
    const index = filled();
    index.setPod("default/web-1", samplePod({ uid: "another", node: "node-3" }));
    assert.deepEqual(dirtyNodes(index), ["node-1", "node-3"]);
    assert.deepEqual(
      [...index.selectionOf("tap").nodes],
      [
        ["node-2", 1],
        ["node-3", 1],
      ],
    );
  });

  it("follows a Namespace's labels", () => {
    const index = filled();
    index.setTrafficControl(
      "team",
      sampleSelector({ name: "team", appliedTo: { namespaceSelector: { matchLabels: { team: "a" } } } }),
    );
    index.takeDirty();
    index.setNamespace("default", sampleNamespace({ labels: { team: "a" } }));
    assert.deepEqual(dirtyNodes(index), ["node-1", "node-2"]);
    assert.equal(index.selectionOf("team").pods, 2);
    index.setNamespace("default", sampleNamespace());
    assert.equal(index.selectionOf("team").pods, 0);
  });

  it("leaves out a Namespace that opts out, counts what it leaves out, and takes it in again", () => {
    const index = filled();
    index.setNamespace("default", sampleNamespace({ optsOut: true }));
    assert.deepEqual(dirtyNodes(index), ["node-1", "node-2"]);
    const { pods, optedOut, nodes } = index.selectionOf("tap");
    assert.deepEqual([pods, optedOut, [...nodes], index.nodes()], [0, 2, [], []]);
    index.setPod("default/web-1", undefined);
    assert.deepEqual([index.selectionOf("tap").optedOut, dirtyNodes(index)], [1, []]);
    index.setNamespace("default", sampleNamespace());
    assert.deepEqual([index.selectionOf("tap").pods, index.selectionOf("tap").optedOut], [1, 0]);
    assert.deepEqual(dirtyNodes(index), ["node-2"]);
  });

  it("selects nothing in a Namespace that it does not know yet", () => {
    const index = filled();
    index.setPod("new/web", samplePod({ namespace: "new", name: "web", node: "node-9" }));
    assert.equal(index.selectionOf("tap").pods, 2);
    index.setNamespace("new", sampleNamespace({ name: "new" }));
    assert.equal(index.selectionOf("tap").pods, 3);
    assert.deepEqual(dirtyNodes(index), ["node-9"]);
  });

  it("makes the nodes of a TrafficControl dirty when its ports change, though it selects the same Pods", () => {
    const index = filled();
    index.setTrafficControl("tap", sampleSelector());
    assert.deepEqual(dirtyNodes(index), ["node-1", "node-2"]);
  });

  it("makes nodes dirty that a TrafficControl leaves and that it comes to", () => {
    const index = filled();
    index.setPod("default/db", samplePod({ name: "db", labels: { app: "db" }, node: "node-3" }));
    index.setTrafficControl("tap", sampleSelector({ appliedTo: { podSelector: { matchLabels: { app: "db" } } } }));
    assert.deepEqual(dirtyNodes(index), ["node-1", "node-2", "node-3"]);
    assert.deepEqual([...index.selectionOf("tap").nodes], [["node-3", 1]]);
  });

  it("leaves nothing behind when a TrafficControl goes", () => {
    const index = filled();
    index.setTrafficControl("tap", undefined);
    assert.deepEqual(dirtyNodes(index), ["node-1", "node-2"]);
    assert.deepEqual([...index.nodes()], []);
    assert.deepEqual(index.selectedOn("node-1"), []);
  });

  it("names Pods that own the remoteIP, and no longer when they are gone", () => {
    const index = filled();
    index.setPod("default/web-1", samplePod({ addresses: ["10.0.10.2"] }));
    assert.deepEqual(index.selectionOf("tap").collectors, ["default/web-1"]);
    assert.equal(index.selectionOf("tap").pods, 1);
    index.setPod("default/web-1", undefined);
    assert.deepEqual(index.selectionOf("tap").collectors, []);
  });

  it("touch makes a TrafficControl and its nodes dirty", () => {
    const index = filled();
    index.touch("tap");
    const { nodes, trafficControls } = index.takeDirty();
    assert.deepEqual([[...nodes].sort(), [...trafficControls]], [["node-1", "node-2"], ["tap"]]);
  });
});

type Step =
  | { kind: "pod"; key: string; pod: PodFacts | undefined }
  | { kind: "namespace"; name: string; namespace: NamespaceFacts | undefined }
  | { kind: "trafficControl"; name: string; facts: SelectorFacts | undefined };

const namespaceName = fc.constantFrom("default", "kube-system");
const nodeName = fc.constantFrom("", "node-1", "node-2", "node-3");
const address = fc.constantFrom("10.0.0.1", "10.0.0.2");

const podStep: fc.Arbitrary<Step> = fc
  .record({
    namespace: namespaceName,
    name: fc.constantFrom("a", "b", "c", "d", "e"),
    node: nodeName,
    labels: labelsArbitrary,
    finished: fc.boolean(),
    hostNetwork: fc.boolean(),
    addresses: fc.array(address, { maxLength: 1 }),
    uid: fc.constantFrom("1", "2"),
    gone: fc.boolean(),
  })
  .map(({ gone, ...fields }) => {
    const key = `${fields.namespace}/${fields.name}`;
    return { kind: "pod", key, pod: gone ? undefined : samplePod(fields) };
  });
const namespaceStep: fc.Arbitrary<Step> = fc
  .record({
    name: namespaceName,
    labels: labelsArbitrary,
    allowsRedirect: fc.boolean(),
    optsOut: fc.boolean(),
    gone: fc.boolean(),
  })
  .map(({ gone, ...namespace }) => ({
    kind: "namespace",
    name: namespace.name,
    namespace: gone ? undefined : namespace,
  }));
const trafficControlStep: fc.Arbitrary<Step> = fc
  .record({
    name: fc.constantFrom("x", "y", "z"),
    action: fc.constantFrom("Mirror" as const, "Redirect" as const),
    collectors: fc.array(address, { maxLength: 1 }),
    appliedTo: fc.oneof(
      { weight: 2, arbitrary: fc.record({ podSelector: simpleSelectorArbitrary }) },
      fc.record({ podSelector: selectorArbitrary, namespaceSelector: selectorArbitrary }, { requiredKeys: [] }),
    ),
    gone: fc.boolean(),
  })
  .map(({ gone, ...facts }) => ({ kind: "trafficControl", name: facts.name, facts: gone ? undefined : facts }));

/** What the index should say after the steps, from scratch. */
class Model {
  readonly pods = new Map<string, PodFacts>();
  readonly namespaces = new Map<string, NamespaceFacts>();
  readonly trafficControls = new Map<string, SelectorFacts>();

  apply(step: Step): void {
    const set = <T>(map: Map<string, T>, key: string, value: T | undefined): void => {
      if (value === undefined) map.delete(key);
      else map.set(key, value);
    };
    if (step.kind === "pod") set(this.pods, step.key, step.pod);
    else if (step.kind === "namespace") set(this.namespaces, step.name, step.namespace);
    else set(this.trafficControls, step.name, step.facts);
  }

  /** node → Pod → what a plan shows of it, with the names of the TrafficControls. */
  plans(): Record<string, Record<string, unknown>> {
    const result: Record<string, Record<string, unknown>> = {};
    for (const [key, pod] of this.pods) {
      const names = [...this.trafficControls.keys()].filter((name) => this.outcome(name, pod) === "selected").sort();
      if (names.length === 0) continue;
      const { uid, addresses } = pod;
      (result[pod.node] ??= {})[key] = { uid, addresses, names };
    }
    return result;
  }

  /** name → what its status would be made from. */
  selections(): Record<string, string> {
    const plans = Object.entries(this.plans()).sort();
    return Object.fromEntries(
      [...this.trafficControls.keys()].map((name) => {
        const nodes = plans.map(([node, pods]) => [
          node,
          Object.values(pods).filter((pod) => (pod as { names: string[] }).names.includes(name)).length,
        ]);
        const counted = nodes.filter(([, count]) => count !== 0);
        return [name, JSON.stringify([counted, this.collectors(name), this.optedOut(name)])];
      }),
    );
  }

  collectors(name: string): string[] {
    return [...this.pods]
      .filter(([, pod]) => this.outcome(name, pod) === "collector")
      .map(([key]) => key)
      .sort();
  }

  optedOut(name: string): number {
    return [...this.pods.values()].filter((pod) => this.outcome(name, pod) === "optedOut").length;
  }

  private outcome(name: string, pod: PodFacts): string {
    const facts = this.trafficControls.get(name);
    const namespace = this.namespaces.get(pod.namespace);
    if (facts === undefined || namespace === undefined || !isSelectable(pod, NO_OPERATOR)) return "no";
    return match(compileMatcher(facts), pod, namespace);
  }
}

function plansOf(index: SelectionIndex): Record<string, Record<string, unknown>> {
  const result: Record<string, Record<string, unknown>> = {};
  for (const node of index.nodes()) {
    for (const { pod, trafficControls } of index.selectedOn(node)) {
      const { uid, addresses, namespace, name } = pod;
      (result[node] ??= {})[`${namespace}/${name}`] = { uid, addresses, names: [...trafficControls].sort() };
    }
  }
  return result;
}

describe("a label that nobody has asked for before", () => {
  it("is not there for a Pod that has lost it meanwhile", () => {
    const index = new SelectionIndex(NO_OPERATOR);
    index.setNamespace("default", sampleNamespace());
    index.setPod("default/web-1", samplePod({ labels: { stage: "canary" } }));
    index.setPod("default/web-1", samplePod({ labels: {} }));
    const podSelector = { matchExpressions: [{ key: "stage", operator: "Exists" as const }] };
    index.setTrafficControl("tap", sampleSelector({ appliedTo: { podSelector } }));
    assert.equal(index.selectionOf("tap").pods, 0);
  });
});

describe("SelectionIndex after any history", function () {
  this.timeout(30_000);

  it("says what naive matching says, and has called every node dirty whose plan is another one", () => {
    const history = fc.array(fc.oneof(podStep, namespaceStep, trafficControlStep), { maxLength: 60, size: "max" });
    fc.assert(
      fc.property(history, (steps) => {
        const index = new SelectionIndex(NO_OPERATOR);
        const model = new Model();
        for (const step of steps) {
          const before = model.plans();
          const selectionsBefore = model.selections();
          model.apply(step);
          if (step.kind === "pod") index.setPod(step.key, step.pod);
          else if (step.kind === "namespace") index.setNamespace(step.name, step.namespace);
          else index.setTrafficControl(step.name, step.facts);
          const after = model.plans();
          assert.deepEqual(plansOf(index), after);
          const { nodes: dirty, trafficControls: dirtyTrafficControls } = index.takeDirty();
          for (const [name, selection] of Object.entries(model.selections()))
            if (selection !== selectionsBefore[name]) assert.ok(dirtyTrafficControls.has(name), `${name} is dirty`);
          for (const node of new Set([...Object.keys(before), ...Object.keys(after)])) {
            const isSame =
              JSON.stringify(Object.entries(before[node] ?? {}).sort()) ===
              JSON.stringify(Object.entries(after[node] ?? {}).sort());
            if (!isSame) assert.ok(dirty.has(node), `${node} is dirty`);
          }
          for (const name of model.trafficControls.keys()) {
            const { nodes, pods, collectors, optedOut } = index.selectionOf(name);
            assert.equal(optedOut, model.optedOut(name));
            const naive = Object.entries(after).map(
              ([node, selected]) =>
                [
                  node,
                  Object.values(selected).filter((entry) => (entry as { names: string[] }).names.includes(name)).length,
                ] as const,
            );
            assert.deepEqual([...nodes].sort(), naive.filter(([, count]) => count > 0).sort());
            assert.equal(
              pods,
              naive.reduce((sum, [, count]) => sum + count, 0),
            );
            assert.deepEqual(collectors, model.collectors(name));
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
