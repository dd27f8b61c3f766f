import assert from "node:assert/strict";
import { ANNOTATIONS, type NodeTrafficPlan, type TrafficControl } from "@ovs-traffic-control/api";
import { explain, explanationText, type Explanation } from "../../../packages/kubectl-trafficcontrol/src/explain";
import { NOT_INSTALLED, plan, rawNamespace, rawPod, REDIRECT, trafficControl } from "./samples";

const web = rawPod("web-1", { app: "web" });

function explained(
  trafficControls: TrafficControl[],
  {
    pod = web,
    namespace = rawNamespace(),
    nodePlan,
  }: Partial<Parameters<typeof explain>[0]> & { nodePlan?: NodeTrafficPlan } = {},
): Explanation {
  return explain({ pod, namespace, trafficControls, plan: nodePlan, installation: NOT_INSTALLED });
}

const states = ({ rules }: Explanation): string[] => rules.map(({ name, state }) => `${name} ${state}`);

describe("explain POD", () => {
  it("says what is in force, with the node's counters", () => {
    const [rule] = explained([trafficControl("tap")], { nodePlan: plan(["tap"], web) }).rules;
    assert.deepEqual([rule?.state, rule?.packets, rule?.ports], ["in force", 5, "vxlan:10.0.10.2"]);
  });

  it("says that the controller has not planned it, or the node not acted on it", () => {
    assert.deepEqual(states(explained([trafficControl("tap")])), ["tap programming"]);
    const nodePlan = plan(["tap"], web, { observedHash: "before" });
    assert.deepEqual(states(explained([trafficControl("tap")], { nodePlan })), ["tap programming"]);
  });

  it("says why the Pod is pending, and why the rule failed", () => {
    const why = { reason: "NoOVSPort", message: "no port" };
    const rule = { name: "tap", uid: "uid-tap", generation: 1, realizedPods: 0 };
    const pendingPods = [{ namespace: "shop", name: "web-1", ...why }];
    const pending = explained([trafficControl("tap")], {
      nodePlan: plan(["tap"], web, { rules: [{ ...rule, pendingPods }] }),
    });
    assert.deepEqual([states(pending), pending.rules[0]?.message], [["tap pending"], "NoOVSPort: no port"]);
    const broken = { ...rule, pendingPods: [], reason: "TargetPortMissing", message: "no eth9" };
    assert.deepEqual(
      states(explained([trafficControl("tap")], { nodePlan: plan(["tap"], web, { rules: [broken] }) })),
      ["tap failed"],
    );
  });

  it("lets the older Redirect of each direction act, and says by whom the others are overruled", () => {
    const names = ["old", "young", "both"];
    const all = [
      trafficControl("young", { ...REDIRECT, direction: "Egress" }, 1),
      trafficControl("old", { ...REDIRECT, direction: "Egress" }, 0),
      trafficControl("both", { ...REDIRECT, direction: "Both" }, 2),
    ];
    const explanation = explained(all, { nodePlan: plan(names, web) });
    assert.deepEqual(states(explanation), ["old in force", "young overruled", "both partly overruled"]);
    assert.match(explanation.rules[2]?.message ?? "", /old \(Egress\)\.$/);
  });

  it("gives a TrafficControl that lost a port to an older one no rule, and names the winner", () => {
    const all = [
      trafficControl("first", { targetPort: { ovsInternal: { name: "tap0" } } }, 0),
      trafficControl("second", { targetPort: { device: { name: "tap0" } } }, 1),
    ];
    const explanation = explained(all, { nodePlan: plan(["first"], web) });
    assert.deepEqual(states(explanation), ["first in force", "second conflicted"]);
    assert.match(explanation.rules[1]?.message ?? "", /TrafficControl first, which is older/);
  });

  for (const [what, spec, namespace, why] of [
    ["other labels", { appliedTo: { podSelector: { matchLabels: { app: "db" } } } }, rawNamespace(), /do not match/],
    ["an empty appliedTo", { appliedTo: {} }, rawNamespace(), /appliedTo is empty/],
    ["a collector", { targetPort: { vxlan: { remoteIP: "10.244.1.5" } } }, rawNamespace(), /owns the remoteIP/],
    ["an opt-out", {}, rawNamespace({ [ANNOTATIONS.optOut]: "true" }), /Namespace shop has opted out/],
  ] as const)
    it(`says why a TrafficControl does not select the Pod: ${what}`, () => {
      const { rules, others } = explained([trafficControl("tap", spec)], { namespace });
      assert.deepEqual(rules, []);
      assert.match(others[0]?.why ?? "", why);
    });

  it("says why no TrafficControl ever selects the Pod", () => {
    const pod = rawPod("web-1", { app: "web" }, { hostNetwork: true });
    const text = explanationText(explained([trafficControl("tap")], { pod }), "table");
    assert.match(text, /No TrafficControl ever selects it: It is in the host's network/);
  });
});
