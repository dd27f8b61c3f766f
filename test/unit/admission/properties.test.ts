import assert from "node:assert/strict";
import fc from "fast-check";
import { format, mistakes, warnings } from "../../../capabilities/admission";
import { manifest } from "./cases";

const label = fc.stringMatching(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/);
const requirement = fc.oneof(
  fc.record({
    key: label,
    operator: fc.constantFrom("In", "NotIn"),
    values: fc.array(label, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key: label, operator: fc.constantFrom("Exists", "DoesNotExist") }),
);
const selector = fc.record(
  {
    matchLabels: fc.dictionary(label, label, { maxKeys: 3 }),
    matchExpressions: fc.array(requirement, { maxLength: 3 }),
  },
  { requiredKeys: [] },
);
const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/);
const remoteIP = fc
  .oneof(
    fc
      .tuple(fc.constantFrom(1, 10, 126, 128, 172, 192, 223, 240), ...[1, 2, 3].map(() => fc.nat(255)))
      .map((bytes) => bytes.join(".")),
    fc.ipV6().map((address) => `fd00:${address.split(":").slice(1, 3).join(":") || "0"}::1`.replace(/:{3,}/g, "::")),
  )
  .filter((address) => !/::.*::/.test(address));
const port = fc.integer({ min: 1, max: 65535 });
const udp = fc.record({ remoteIP, destinationPort: port, vni: fc.nat(16777215) }, { requiredKeys: ["remoteIP"] });
const gre = fc.record({ remoteIP, key: fc.integer({ min: 0, max: 4294967295 }) }, { requiredKeys: ["remoteIP"] });
const returnPort = fc.oneof(
  fc.record({ ovsInternal: fc.record({ name }) }),
  fc.record({ device: fc.record({ name }) }),
  fc.record({ geneve: udp }),
  fc.record({ vxlan: udp }),
  fc.record({ gre }),
);
const session = { remoteIP, sessionID: fc.nat(1023) };
const erspan = fc.oneof(
  fc.record({ ...session, version: fc.constant(1), index: fc.nat(1048575) }, { requiredKeys: ["remoteIP", "version"] }),
  fc.record(
    { ...session, version: fc.constant(2), dir: fc.nat(1), hardwareID: fc.nat(63) },
    { requiredKeys: ["remoteIP", "version"] },
  ),
);
const common = {
  appliedTo: fc.record({ podSelector: selector, namespaceSelector: selector }, { requiredKeys: [] }),
  direction: fc.constantFrom("Ingress", "Egress", "Both"),
};
/** Any spec that is right. */
const validSpec = fc.oneof(
  fc.record({
    ...common,
    action: fc.constant("Mirror"),
    targetPort: fc.oneof<fc.Arbitrary<object>[]>(returnPort, fc.record({ erspan })),
  }),
  fc.record({ ...common, action: fc.constant("Redirect"), targetPort: returnPort, returnPort }),
);

/** Keys that mean something to the rules, or to JavaScript. */
const key = fc.oneof(
  fc.constantFrom(
    ...[
      "spec",
      "appliedTo",
      "podSelector",
      "matchLabels",
      "matchExpressions",
      "operator",
      "values",
      "key",
      "direction",
    ],
    ...[
      "action",
      "targetPort",
      "returnPort",
      "ovsInternal",
      "device",
      "vxlan",
      "gre",
      "erspan",
      "name",
      "remoteIP",
      "vni",
    ],
    ...["version", "index", "dir", "__proto__", "constructor", "toString", "hasOwnProperty", "length"],
  ),
  fc.string(),
);
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 6, depthSize: "medium" },
    fc.constantFrom("Mirror", "Redirect", "Both", "both", "10.0.10.2", "::", ""),
    fc.string(),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie("json")), { maxLength: 5 }).map((entries) => parseEntries(entries)),
  ),
}));

/** fast-check's undefined and NaN become null. */
function stringify(value: unknown): string {
  return (JSON.stringify(value) as string | undefined) ?? "null";
}

/** As JSON.parse makes objects: "__proto__" is a key like any other. */
function parseEntries(entries: [string, unknown][]): unknown {
  const body = entries.map(([name, value]) => `${JSON.stringify(name)}:${stringify(value)}`);
  return JSON.parse(`{${body.join(",")}}`);
}

/** A copy in which one of the values that are no objects is another. */
function replaceLeaf(tree: unknown, at: number, value: unknown): unknown {
  let leaves = 0;
  JSON.stringify(tree, (_key, leaf: unknown) => (typeof leaf === "object" || leaves++, leaf));
  let seen = 0;
  return JSON.parse(JSON.stringify(tree), (_key, leaf: unknown) =>
    typeof leaf !== "object" && seen++ === at % leaves ? value : leaf,
  );
}

describe("the rules, whatever they are given,", () => {
  it("find nothing in any right spec", () => {
    fc.assert(
      fc.property(validSpec, (spec) => {
        assert.deepEqual(mistakes({ spec }).map(format), []);
      }),
      { numRuns: 500 },
    );
  });

  it("never throw, nor do the warnings, and every line names a field", () => {
    fc.assert(
      fc.property(json, (object) => {
        for (const mistake of mistakes(object)) assert.match(format(mistake), /^(spec|TrafficControl)[^\n]*: [A-Z]/s);
        warnings(object);
      }),
      { numRuns: 2_000 },
    );
  });

  it("never throw about a right spec in which one value was replaced by anything", () => {
    fc.assert(
      fc.property(validSpec, json, fc.nat(), (spec, value, at) => {
        const object = { spec: replaceLeaf(spec, at, value) };
        for (const mistake of mistakes(object)) format(mistake);
        warnings(object);
      }),
      { numRuns: 2_000 },
    );
  });

  it("answer about 2 MB of nonsense soon and briefly", () => {
    const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
    const hostile = [
      { direction: "x".repeat(2_000_000) },
      { targetPort: { vxlan: { remoteIP: "1".repeat(2_000_000) } } },
      { targetPort: { device: { name: "ä".repeat(1_000_000) } } },
      {
        appliedTo: {
          podSelector: { matchLabels: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`-${i}`, ""])) },
        },
      },
      { appliedTo: { podSelector: { matchExpressions: Array.from({ length: 100_000 }, () => 5) } } },
      { appliedTo: deep(5_000) },
      { appliedTo: { podSelector: { matchLabels: { [`${"a.".repeat(500_000)}/b`]: "x" } } } },
    ];
    for (const change of hostile) {
      const object = manifest({ title: "", change });
      const started = process.cpuUsage();
      const lines = mistakes(object).map(format);
      // Processor time, because a busy machine says nothing about the rules; a quadratic rule takes minutes.
      const milliseconds = process.cpuUsage(started).user / 1000;
      assert.ok(milliseconds < 1_000, `${Object.keys(change)[0]!} took ${milliseconds} ms`);
      assert.ok(lines.join("\n").length < 2_000, "the answer is as long as the question");
    }
  });
});
