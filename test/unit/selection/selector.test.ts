import assert from "node:assert/strict";
import fc from "fast-check";
import type { LabelSelector } from "../../../capabilities/api";
import { compileSelector, type Labels } from "../../../capabilities/selection";
import { labelsArbitrary, selectorArbitrary } from "./arbitraries";

const web: Labels = { app: "web", tier: "front" };

const CASES: [what: string, selector: LabelSelector, labels: Labels, matches: boolean][] = [
  ["an empty selector matches everything", {}, web, true],
  ["an empty selector matches an object without labels", {}, {}, true],
  ["matchLabels with the right value", { matchLabels: { app: "web" } }, web, true],
  ["matchLabels with another value", { matchLabels: { app: "db" } }, web, false],
  ["matchLabels all hold or none", { matchLabels: { app: "web", tier: "back" } }, web, false],
  ["a label that is missing is not an empty one", { matchLabels: { zone: "" } }, web, false],
  ["an empty value matches an empty value", { matchLabels: { zone: "" } }, { zone: "" }, true],
  ["In with the value among others", expression("app", "In", ["db", "web"]), web, true],
  ["In without the value", expression("app", "In", ["db"]), web, false],
  ["In without the label", expression("zone", "In", ["a"]), web, false],
  ["NotIn with another value", expression("app", "NotIn", ["db"]), web, true],
  ["NotIn with this value", expression("app", "NotIn", ["web"]), web, false],
  ["NotIn is satisfied by an object without the label", expression("zone", "NotIn", ["a"]), web, true],
  ["Exists with the label", expression("app", "Exists"), web, true],
  ["Exists without the label", expression("zone", "Exists"), web, false],
  ["DoesNotExist without the label", expression("zone", "DoesNotExist"), web, true],
  ["DoesNotExist with the label", expression("app", "DoesNotExist"), web, false],
  [
    "requirements and matchLabels together",
    { matchLabels: { app: "web" }, ...expression("tier", "NotIn", ["front"]) },
    web,
    false,
  ],
  ["a key called like a property of every object does not exist", expression("constructor", "Exists"), web, false],
  ["an operator that nobody knows matches nothing", expression("app", "Gt" as "In", ["1"]), web, false],
];

function expression(
  key: string,
  operator: "In" | "NotIn" | "Exists" | "DoesNotExist",
  values?: string[],
): LabelSelector {
  return { matchExpressions: [{ key, operator, values }] };
}

/** Kubernetes' documentation, sentence by sentence. */
function naive(selector: LabelSelector, labels: Labels): boolean {
  const has = (key: string): boolean => Object.keys(labels).includes(key);
  for (const key of Object.keys(selector.matchLabels ?? {})) {
    if (!has(key) || labels[key] !== selector.matchLabels![key]) return false;
  }
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    if (operator === "Exists" && !has(key)) return false;
    if (operator === "DoesNotExist" && has(key)) return false;
    if (operator === "In" && !(has(key) && values.includes(labels[key]!))) return false;
    if (operator === "NotIn" && has(key) && values.includes(labels[key]!)) return false;
  }
  return true;
}

describe("compileSelector", () => {
  for (const [what, selector, labels, matches] of CASES) {
    it(what, () => assert.equal(compileSelector(selector)(labels), matches));
  }

  it("agrees with Kubernetes' rules written down plainly, for any selector and labels", () => {
    fc.assert(
      fc.property(selectorArbitrary, labelsArbitrary, (selector, labels) => {
        assert.equal(compileSelector(selector)(labels), naive(selector, labels));
      }),
      { numRuns: 2_000 },
    );
  });
});
