import assert from "node:assert/strict";
import { LABELS } from "../../../capabilities/api";
import {
  compileMatcher,
  isSelectable,
  match,
  type Match,
  type NamespaceFacts,
  type PodFacts,
  type SelectorFacts,
} from "../../../capabilities/selection";
import { sampleNamespace, samplePod, sampleSelector } from "./samples";

const OPERATOR = new Set(["operator", "nodes"]);

describe("isSelectable", () => {
  for (const [what, pod, expected] of [
    ["a running Pod is selected", {}, true],
    ["a Pod that is not bound to a node is not", { node: "" }, false],
    ["a Pod on the host's network is not", { hostNetwork: true }, false],
    ["a Pod that has succeeded or failed is not", { finished: true }, false],
    ["the operator's own Pods are not", { namespace: "operator", labels: { [LABELS.operator]: "true" } }, false],
    ["nor are its programmers", { namespace: "nodes", labels: { [LABELS.operator]: "true" } }, false],
    ["nobody hides from a tap by labelling his own Pod", { labels: { [LABELS.operator]: "true" } }, true],
    ["a strange Pod in the operator's Namespace is selected", { namespace: "operator" }, true],
    ["a Pod without an address yet is selected", { addresses: [] }, true],
  ] as [string, Partial<PodFacts>, boolean][]) {
    it(what, () => assert.equal(isSelectable(samplePod(pod), OPERATOR), expected));
  }
});

interface Case {
  what: string;
  selector?: Partial<SelectorFacts>;
  pod?: Partial<PodFacts>;
  namespace?: Partial<NamespaceFacts>;
  expected: Match;
}

const everyPod = { podSelector: {} };
const CASES: Case[] = [
  { what: "podSelector alone means Pods in all Namespaces", namespace: { name: "other" }, expected: "selected" },
  { what: "other labels", pod: { labels: { app: "db" } }, expected: "no" },
  { what: "an empty appliedTo selects nothing", selector: { appliedTo: {} }, expected: "no" },
  { what: "an empty podSelector selects everything", selector: { appliedTo: everyPod }, expected: "selected" },
  {
    what: "namespaceSelector alone means all Pods of the matching Namespaces",
    selector: { appliedTo: { namespaceSelector: { matchLabels: { team: "a" } } } },
    namespace: { labels: { team: "a" } },
    pod: { labels: {} },
    expected: "selected",
  },
  {
    what: "both selectors mean the intersection: right Pod in the wrong Namespace",
    selector: { appliedTo: { ...everyPod, namespaceSelector: { matchLabels: { team: "a" } } } },
    namespace: { labels: { team: "b" } },
    expected: "no",
  },
  {
    what: "both selectors mean the intersection: wrong Pod in the right Namespace",
    selector: { appliedTo: { podSelector: { matchLabels: { app: "db" } }, namespaceSelector: {} } },
    expected: "no",
  },
  {
    what: "a Pod that owns the remoteIP is the collector",
    pod: { addresses: ["fd00::1", "10.0.10.2"] },
    expected: "collector",
  },
  {
    what: "a Pod that owns the remoteIP but is not meant is not concerned",
    pod: { addresses: ["10.0.10.2"], labels: {} },
    expected: "no",
  },
  {
    what: "Redirect does not act on kube-system",
    selector: { action: "Redirect" },
    namespace: { name: "kube-system" },
    expected: "no",
  },
  {
    what: "Redirect acts on kube-system if its Namespace allows it",
    selector: { action: "Redirect" },
    namespace: { name: "kube-system", allowsRedirect: true },
    expected: "selected",
  },
  { what: "Mirror acts on kube-system", namespace: { name: "kube-system" }, expected: "selected" },
  { what: "no Pod of a Namespace that has opted out", namespace: { optsOut: true }, expected: "optedOut" },
  {
    what: "a collector in a Namespace that has opted out needs no warning",
    namespace: { optsOut: true },
    pod: { addresses: ["10.0.10.2"] },
    expected: "optedOut",
  },
  {
    what: "a Namespace that has opted out is none of the business of a TrafficControl for other Pods",
    namespace: { optsOut: true },
    pod: { labels: { app: "db" } },
    expected: "no",
  },
  { what: "Redirect acts elsewhere", selector: { action: "Redirect" }, expected: "selected" },
];

describe("match", () => {
  for (const { what, selector, pod, namespace, expected } of CASES) {
    it(`${what}: ${expected}`, () => {
      const matcher = compileMatcher(sampleSelector(selector));
      assert.equal(match(matcher, samplePod(pod), sampleNamespace(namespace)), expected);
    });
  }
});
