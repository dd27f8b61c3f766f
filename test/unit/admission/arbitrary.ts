/** Random specs: right ones, nearly right ones, and any JSON. Used by property tests in process and against an API server. */
import fc from "fast-check";

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
export const validSpec = fc.oneof(
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
/** Any JSON, with words in it that mean something to the rules. */
export const { json } = fc.letrec((tie) => ({
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
export function replaceLeaf(tree: unknown, at: number, value: unknown): unknown {
  let leaves = 0;
  JSON.stringify(tree, (_key, leaf: unknown) => (typeof leaf === "object" || leaves++, leaf));
  let seen = 0;
  return JSON.parse(JSON.stringify(tree), (_key, leaf: unknown) =>
    typeof leaf !== "object" && seen++ === at % leaves ? value : leaf,
  );
}

/** What stands at the boundaries of the rules, or next to them. */
const boundary = fc.constantFrom<unknown>(
  ...[-1, 0, 1, 2, 3, 63, 64, 1023, 1024, 65535, 65536, 1048575, 1048576, 16777215, 16777216, 4294967295, 4294967296],
  ...[0.5, true, false, {}, [], "", "-", "a", "a.", "_a", "a/b", "a/", "/a", "A.b/c", "a b", "tap0\n", "ä", "a:b"],
  ...["fifteen-letters", "sixteen-letters-", "x".repeat(63), "x".repeat(64), `${"a".repeat(253)}/b`, "x".repeat(318)],
  ...["10.0.0.1", "10.0.0.1/8", "010.0.0.1", "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "1.2.3"],
  ...["::", "::1", "fe80::1", "ff02::1", "fd00::2", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "fd00::2%eth0", "1:2:3"],
  ...["In", "NotIn", "Exists", "DoesNotExist", "in", "Mirror", "Redirect", "mirror", "Both", "both", "Ingress"],
);
/** The API server knows no erspan in a returnPort. */
const anotherPort = fc.constantFrom<[role: string, kind: string, port: unknown]>(
  ["targetPort", "ovsInternal", { name: "tap0" }],
  ["targetPort", "erspan", { remoteIP: "10.0.10.2", version: 1 }],
  ["targetPort", "gre", { remoteIP: "10.0.10.2" }],
  ["returnPort", "device", { name: "eth1" }],
  ["returnPort", "vxlan", { remoteIP: "10.0.10.2" }],
);

type Edit = (spec: JsonObject) => void;
interface JsonObject {
  [name: string]: unknown;
}

const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(), boundary).map(
      ([at, value]): Edit =>
        (spec) =>
          atPlace(spec, at, (o, k) => (o[k] = value)),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat().map(
      (at): Edit =>
        (spec) =>
          atPlace(spec, at, (object, name) => Reflect.deleteProperty(object, name)),
    ),
  },
  {
    weight: 1,
    arbitrary: anotherPort.map(
      ([role, kind, port]): Edit =>
        (spec) => {
          spec[role] = { ...(typeof spec[role] === "object" ? spec[role] : {}), [kind]: port };
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("Mirror", "Redirect").map(
      (action): Edit =>
        (spec) =>
          (spec["action"] = action),
    ),
  },
);

/** A right spec with up to three edits, each of which may or may not make it wrong. No field is unknown. */
export const nearlyRightSpec: fc.Arbitrary<JsonObject> = fc
  .tuple(validSpec, fc.array(edit, { maxLength: 3 }))
  .map(([spec, edits]) => {
    const changed = structuredClone(spec) as unknown as JsonObject;
    for (const apply of edits) apply(changed);
    return changed;
  });

/** Calls back with one of the places of a tree: the object or list, and the key. */
function atPlace(root: JsonObject, at: number, act: (object: JsonObject, name: string) => void): void {
  const places: [JsonObject, string][] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const name of Object.keys(value)) {
      // A hole in a list would be null.
      places.push([value as JsonObject, name]);
      collect((value as JsonObject)[name]);
    }
  };
  collect(root);
  const place = places[at % places.length];
  if (place !== undefined && !Array.isArray(place[0])) act(...place);
}
