import assert from "node:assert/strict";
import { CONDITIONS, REASONS, type Condition, type TrafficControl } from "../../../capabilities/api";
import {
  statusOf,
  targetText,
  type NodeView,
  type StatusInput,
  type StatusOutput,
} from "../../../capabilities/reporting";
import { samplePlan, sampleTrafficControl } from "../planning/samples";

const NOW = Date.UTC(2026, 0, 1, 12);

function view(node: string, fields: Partial<NodeView> = {}): NodeView {
  const { pods = 1 } = fields;
  const rules = [{ name: "tap", uid: "uid-tap", generation: 1, realizedPods: pods, pendingPods: [] }];
  return { node, ready: true, pods, plan: samplePlan(["tap"], { node }, { rules }), ...fields };
}

const unconfirmed = (node: string, fields: Partial<NodeView> = {}): NodeView =>
  view(node, { plan: samplePlan(["tap"], { node }, { observedHash: "before" }), ...fields });

const pending = (node: string, reason: string): NodeView => {
  const pendingPods = [{ namespace: "default", name: "web", reason, message: "It has no port yet" }];
  const rules = [{ name: "tap", uid: "uid-tap", generation: 1, realizedPods: 0, pendingPods, pendingCount: 1 }];
  return view(node, { plan: samplePlan(["tap"], { node }, { rules }) });
};

const failing = (node: string, reason: string, message = "Something is wrong"): NodeView => {
  const rules = [{ name: "tap", uid: "uid-tap", generation: 1, realizedPods: 0, pendingPods: [], reason, message }];
  return view(node, { plan: samplePlan(["tap"], { node }, { rules }) });
};

/** As it looks after an earlier Ready=True of this generation. */
function onceReady(): TrafficControl {
  const trafficControl = sampleTrafficControl();
  const first = report({ nodes: [view("node-1")], trafficControl });
  return { ...trafficControl, status: first.status };
}

function report(input: Partial<StatusInput>): StatusOutput {
  return statusOf({
    trafficControl: sampleTrafficControl(),
    nodes: [],
    unrealizedFor: new Map(),
    now: NOW,
    ...input,
  });
}

function find(output: StatusOutput, type: string): Condition | undefined {
  return output.status.conditions?.find((condition) => condition.type === type);
}

/** "Ready=False Programming, Reconciling" */
function summary(output: StatusOutput): string {
  const ready = find(output, CONDITIONS.ready);
  const others =
    output.status.conditions?.filter(({ type }) => type !== CONDITIONS.ready).map(({ type }) => type) ?? [];
  return [`${ready?.status ?? "?"} ${ready?.reason ?? "?"}`, ...others].join(", ");
}

const approximate = (node: string, generation = 1): NodeView => {
  const result = { name: "tap", uid: "uid-tap", generation, realizedPods: 1, pendingPods: [], approximate: "By rows." };
  return view(node, { plan: samplePlan(["tap"], { node }, { rules: [result] }) });
};

const CASES: [what: string, input: Partial<StatusInput>, expected: string, message: RegExp][] = [
  ["no Pod matches", {}, "True NoPodsSelected", /No running Pod matches/],
  [
    "appliedTo is empty",
    { trafficControl: sampleTrafficControl({}, { appliedTo: {} }) },
    "True NoPodsSelected",
    /appliedTo is empty/,
  ],
  [
    "every node is realized",
    { nodes: [view("node-1"), view("node-2", { pods: 2 })] },
    "True Realized",
    /^Mirroring 3 Pods on 2 nodes to vxlan:10\.0\.10\.2\.$/,
  ],
  [
    "some Pods have opted out",
    { nodes: [view("node-1")], optedOut: 2 },
    "True Realized",
    /^Mirroring 1 Pod on 1 node to vxlan:10\.0\.10\.2\. Left out: 2 Pods in Namespaces that have opted out\.$/,
  ],
  [
    "all Pods have opted out",
    { optedOut: 2 },
    "True NoPodsSelected",
    /^Every Pod that matches appliedTo \(2\) is in a Namespace that has opted out\.$/,
  ],
  [
    "there is no plan yet",
    { nodes: [view("node-1", { plan: undefined })] },
    "False Programming, Reconciling",
    /^Programming node-1 \(1 of 1 node\)\.$/,
  ],
  [
    "a plan is not confirmed",
    { nodes: [view("node-1"), unconfirmed("node-2")] },
    "False Programming, Reconciling",
    /node-2 \(1 of 2 nodes\)/,
  ],
  [
    "the plan is of an older generation",
    { trafficControl: sampleTrafficControl({ generation: 2 }), nodes: [view("node-1")] },
    "False Programming, Reconciling",
    /node-1/,
  ],
  [
    "the node's answer is of an older generation",
    {
      trafficControl: sampleTrafficControl({ generation: 2 }),
      nodes: [
        view("node-1", {
          plan: samplePlan(
            [],
            { rules: [{ name: "tap", uid: "uid-tap", generation: 2 }] },
            { rules: [{ name: "tap", uid: "uid-tap", generation: 1, realizedPods: 1, pendingPods: [] }] },
          ),
        }),
      ],
    },
    "False Programming, Reconciling",
    /node-1/,
  ],
  [
    "the answer is about an earlier object of the same name",
    {
      nodes: [
        view("node-1", {
          plan: samplePlan(
            [],
            { rules: [{ name: "tap", uid: "uid-tap", generation: 1 }] },
            { rules: [{ name: "tap", uid: "uid-before", generation: 1, realizedPods: 1, pendingPods: [] }] },
          ),
        }),
      ],
    },
    "False Programming, Reconciling",
    /node-1/,
  ],
  [
    "a Pod is pending",
    { nodes: [view("node-1"), pending("node-2", "NoOVSPort")] },
    "False PodsPending, Reconciling",
    /^Pod default\/web on node-2 is not programmed: It has no port yet\.$/,
  ],
  [
    "a Pod has had no port for a minute",
    { nodes: [pending("node-2", "NoOVSPort")], unrealizedFor: new Map([["node-2", 60_000]]) },
    "False PodsPending, Stalled",
    /not programmed/,
  ],
  [
    "a device is missing",
    { nodes: [failing("node-1", "TargetPortMissing", "There is no device eth9.")] },
    "False TargetPortMissing, Stalled",
    /^On node-1: There is no device eth9\.$/,
  ],
  [
    "a port could not be made",
    { nodes: [failing("node-1", "TargetPortFailed")] },
    "False TargetPortFailed, Reconciling",
    /On node-1: Something is wrong\.$/,
  ],
  [
    "two nodes fail for the same reason",
    { nodes: [failing("node-1", "TargetPortMissing"), failing("node-2", "TargetPortMissing")] },
    "False TargetPortMissing, Stalled",
    /1 other node is concerned too/,
  ],
  [
    "nodes fail for different reasons",
    { nodes: [failing("node-1", "TargetPortMissing"), failing("node-2", "TargetPortFailed")] },
    "False NodesNotRealized, Reconciling",
    /On node-1/,
  ],
  [
    "one node has failed for good and another is at work",
    { nodes: [failing("node-1", "DeviceNotOurs"), unconfirmed("node-2")] },
    "False DeviceNotOurs, Reconciling",
    /On node-1/,
  ],
  [
    "a node is not ready and never was programmed",
    { nodes: [view("node-1"), unconfirmed("node-2", { ready: false })] },
    "True Realized",
    /^Mirroring 2 Pods on 1 node to .*; not on node-2, which is not ready\.$/,
  ],
  [
    "no node is ready",
    { nodes: [unconfirmed("node-1", { ready: false })] },
    "False NodeNotReady, Reconciling",
    /Waiting for node-1/,
  ],
  [
    "a node that is programmed stops being ready",
    { nodes: [view("node-1", { ready: false })] },
    "True Realized",
    /on 1 node/,
  ],
  [
    "a programmer has failed",
    {
      nodes: [
        unconfirmed("node-1", {
          trouble: { reason: "OVSUnreachable", message: "Open vSwitch does not answer", failures: 1 },
        }),
      ],
    },
    "False OVSUnreachable, Reconciling",
    /On node-1: Open vSwitch does not answer\./,
  ],
  [
    "a programmer has failed five times",
    { nodes: [unconfirmed("node-1", { trouble: { reason: "ProgrammerFailed", message: "crashed", failures: 5 } })] },
    "False ProgrammerFailed, Stalled",
    /crashed/,
  ],
  [
    "Open vSwitch has gone on a node that was programmed",
    {
      nodes: [
        view("node-1", {
          plan: samplePlan(
            ["tap"],
            {},
            {
              conditions: [
                { type: "Ready", status: "False", reason: "OVSUnreachable", message: "gone", lastTransitionTime: "" },
              ],
            },
          ),
        }),
      ],
    },
    "False OVSUnreachable, Reconciling",
    /gone/,
  ],
  [
    "a plan is too large",
    { nodes: [view("node-1", { excess: "The plan has too many bytes." })] },
    "False PlanTooLarge, Stalled",
    /too many bytes/,
  ],
  [
    "it conflicts with an older one",
    { nodes: [view("node-1")], conflict: { winner: "other", message: "TrafficControl other uses it." } },
    "False ConflictsWith, Stalled, Conflicted",
    /TrafficControl other uses it/,
  ],
  [
    "it is a Redirect",
    { trafficControl: sampleTrafficControl({}, { action: "Redirect" }), nodes: [view("node-1")] },
    "True Realized",
    /^Redirecting 1 Pod on 1 node to vxlan/,
  ],
  [
    "an older Redirect acts on some of its Pods",
    {
      trafficControl: sampleTrafficControl({}, { action: "Redirect" }),
      nodes: [view("node-1")],
      overruled: { winner: "older", pods: 1 },
    },
    "True Realized, Conflicted",
    /^Redirecting/,
  ],
];

describe("statusOf", () => {
  for (const [what, input, expected, message] of CASES) {
    it(`says ${expected} if ${what}`, () => {
      const output = report(input);
      assert.equal(summary(output), expected);
      assert.match(find(output, CONDITIONS.ready)?.message ?? "", message);
    });
  }

  it("counts Pods and nodes, and gives its generation and target", () => {
    const trafficControl = sampleTrafficControl({ generation: 7 });
    const { status } = report({ trafficControl, nodes: [view("b", { pods: 2 }), unconfirmed("a")] });
    const { observedGeneration, selectedPods, desiredNodes, realizedNodes, nodes, target } = status;
    assert.deepEqual(
      [observedGeneration, selectedPods, desiredNodes, realizedNodes, nodes, target],
      [7, 3, 2, 0, "0/2", "vxlan:10.0.10.2"],
    );
  });

  it("says that copies are approximate beside Ready, with the first node's reason, and only of this generation", () => {
    const output = report({ nodes: [approximate("node-2"), view("node-1"), approximate("node-3")] });
    assert.equal(summary(output), "True Realized, Approximate");
    const { reason, message } = find(output, CONDITIONS.approximate) ?? {};
    assert.equal(`${reason}: ${message}`, "MirrorRows: On node-2: By rows. 1 other node is concerned too.");
    assert.equal(summary(report({ nodes: [view("node-1")] })), "True Realized");
    assert.equal(find(report({ nodes: [approximate("node-2", 0)] }), CONDITIONS.approximate), undefined);
  });

  it("is Stalled at once where a bridge cannot do what is asked for", () => {
    assert.equal(
      summary(report({ nodes: [pending("node-1", REASONS.pipelineUnknown)] })),
      "False PodsPending, Stalled",
    );
  });

  it("keeps the time of a condition while its status stays, and takes a new one when it changes", () => {
    const before = onceReady();
    const [same] =
      report({ trafficControl: before, nodes: [view("node-1"), view("node-2")], now: NOW + 60_000 }).status
        .conditions ?? [];
    assert.equal(same?.lastTransitionTime, "2026-01-01T12:00:00Z");
    const [changed] =
      report({ trafficControl: before, nodes: [failing("node-1", "TargetPortFailed")], now: NOW + 60_000 }).status
        .conditions ?? [];
    assert.equal(changed?.lastTransitionTime, "2026-01-01T12:01:00Z");
  });

  it("is the same object for the same input", () => {
    const trafficControl = onceReady();
    assert.deepEqual(
      report({ trafficControl, nodes: [view("node-1")], now: NOW + 5_000 }).status,
      trafficControl.status,
    );
  });

  it("names up to ten nodes with reason and message, in order, and none that is merely at work", () => {
    const nodes = Array.from({ length: 12 }, (_, i) =>
      failing(`node-${String(i).padStart(2, "0")}`, "TargetPortMissing"),
    );
    const { status } = report({ nodes: [...nodes.reverse(), unconfirmed("node-99")] });
    assert.equal(status.failures?.length, 10);
    assert.deepEqual(status.failures[0], {
      node: "node-00",
      reason: "TargetPortMissing",
      message: "Something is wrong.",
    });
    assert.equal(report({ nodes: [unconfirmed("node-1")] }).status.failures, undefined);
  });

  it("names a node that has been at work for ten seconds", () => {
    const { status } = report({ nodes: [unconfirmed("node-1")], unrealizedFor: new Map([["node-1", 10_000]]) });
    assert.deepEqual(
      status.failures?.map(({ node, reason }) => [node, reason]),
      [["node-1", REASONS.programming]],
    );
  });
});

describe("statusOf after Ready=True", () => {
  const nodes = [view("node-1"), unconfirmed("node-2")];

  it("keeps it while a new Pod is being programmed, and asks to be called when the ten seconds are over", () => {
    const output = report({ trafficControl: onceReady(), nodes, unrealizedFor: new Map([["node-2", 4_000]]) });
    assert.equal(summary(output), "True Realized");
    assert.equal(output.status.nodes, "1/2");
    assert.equal(output.recheckAfterMilliseconds, 6_000);
    assert.match(find(output, CONDITIONS.ready)?.message ?? "", /; programming node-2\.$/);
  });

  it("moves no number for a second if a node that was realized gets a new plan", () => {
    const trafficControl = onceReady();
    const settling = (age: number): StatusOutput =>
      report({ trafficControl, nodes: [unconfirmed("node-1")], unrealizedFor: new Map([["node-1", age]]) });
    assert.deepEqual(settling(400).status, trafficControl.status);
    assert.deepEqual([settling(400).unrealized, settling(400).recheckAfterMilliseconds], [["node-1"], 600]);
    assert.equal(settling(1_000).status.nodes, "0/1");
  });

  it("counts a node that has not answered about this generation yet as missing at once", () => {
    const fresh = view("node-2", {
      plan: samplePlan(["tap"], { node: "node-2" }, { observedHash: "before", rules: [] }),
    });
    assert.equal(report({ trafficControl: onceReady(), nodes: [view("node-1"), fresh] }).status.nodes, "1/2");
  });

  it("drops it after ten seconds", () => {
    const output = report({ trafficControl: onceReady(), nodes, unrealizedFor: new Map([["node-2", 10_000]]) });
    assert.equal(summary(output), "False Programming, Reconciling");
  });

  it("drops it at once for a failure", () => {
    const output = report({
      trafficControl: onceReady(),
      nodes: [view("node-1"), failing("node-2", "TargetPortFailed")],
    });
    assert.equal(summary(output), "False TargetPortFailed, Reconciling");
  });

  it("drops it at once for another generation", () => {
    const trafficControl = onceReady();
    trafficControl.metadata.generation = 2;
    assert.equal(summary(report({ trafficControl, nodes })), "False Programming, Reconciling");
  });

  it("does not go on saying that no Pod matches when one does", () => {
    const trafficControl = sampleTrafficControl();
    trafficControl.status = report({ trafficControl }).status;
    const fresh = view("node-1", { plan: samplePlan(["tap"], {}, { observedHash: "before", rules: [] }) });
    assert.equal(summary(report({ trafficControl, nodes: [fresh] })), "True Programming");
  });
});

describe("kstatus", () => {
  /** cli-utils pkg/kstatus/status/generic.go in short. */
  function kstatus({ metadata, status }: TrafficControl): string {
    const is = (type: string): boolean =>
      status?.conditions?.some((c) => c.type === type && c.status === "True") ?? false;
    if (status?.observedGeneration !== metadata.generation || is("Reconciling")) return "InProgress";
    if (is("Stalled")) return "Failed";
    return is("Ready") ? "Current" : "InProgress";
  }

  it("reads every status as a user would: Current if Ready, Failed if Stalled, InProgress otherwise", () => {
    for (const [what, input, expected] of CASES) {
      const trafficControl = { ...sampleTrafficControl(input.trafficControl?.metadata), status: report(input).status };
      const wanted = expected.startsWith("True") ? "Current" : expected.includes("Stalled") ? "Failed" : "InProgress";
      assert.equal(kstatus(trafficControl), wanted, what);
    }
  });
});

describe("targetText", () => {
  for (const [port, expected] of [
    [{ vxlan: { remoteIP: "10.0.10.2" } }, "vxlan:10.0.10.2"],
    [{ geneve: { remoteIP: "fd00::1", vni: 3 } }, "geneve:fd00::1"],
    [{ ovsInternal: { name: "tap0" } }, "ovsInternal:tap0"],
    [{ device: { name: "eth1" } }, "device:eth1"],
    [{ gre: { remoteIP: "10.0.10.2" } }, "gre:10.0.10.2"],
    [{ erspan: { remoteIP: "10.0.10.2", version: 1 } }, "erspan:10.0.10.2"],
  ] as const) {
    it(`writes ${expected}`, () => assert.equal(targetText(port), expected));
  }
});
