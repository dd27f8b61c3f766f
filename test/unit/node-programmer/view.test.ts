/** What is derived from the database's rows, and when it is derived anew. */
import assert from "node:assert/strict";
import { REASONS } from "../../../capabilities/api";
import { COLUMNS, viewsOf } from "../../../packages/node-programmer/src/ovs";
import { findPods } from "../../../packages/node-programmer/src/pods";
import { defaultOf, shapeOf } from "../../../packages/ovs-ofctl-wrapper/src/ovsdb/values";
import { Replica } from "../../../packages/ovs-ofctl-wrapper/src/ovsdb/replica";
import type { TableUpdates } from "../../../packages/ovs-ofctl-wrapper/src/ovsdb/replica";
import type { Wire } from "../../../packages/ovs-ofctl-wrapper/src/ovsdb/values";

const optional = { type: { key: "integer", min: 0, max: 1 } } as const;
const strings = { type: { key: "string", value: "string", min: 0, max: "unlimited" } } as const;
const schema: Record<string, Parameters<typeof shapeOf>[0]> = {
  ports: { type: { key: "uuid", min: 0, max: "unlimited" } },
  interfaces: { type: { key: "uuid", min: 1, max: "unlimited" } },
  trunks: { type: { key: "integer", min: 0, max: 4096 } },
  mirrors: { type: { key: "uuid", min: 0, max: "unlimited" } },
  ofport: optional,
  external_ids: strings,
  other_config: strings,
  options: strings,
};

function replicaOf(updates: TableUpdates): Replica<typeof COLUMNS> {
  const replica = new Replica(COLUMNS, {
    shape: (_table, column) => shapeOf(schema[column]),
    empty: (_table, column) => defaultOf(schema[column]),
  });
  replica.apply(updates, true);
  return replica;
}

const port = (name: string, tag: number): TableUpdates["Port"] => ({
  [`port-${name}`]: {
    new: {
      name,
      tag,
      interfaces: ["uuid", `interface-${name}`],
      trunks: ["set", []],
      other_config: ["map", []],
      external_ids: ["map", [["contPodUid", `uid-${name}`]]],
    },
  },
});
const device = (name: string, ofport: Wire): TableUpdates["Interface"] => ({
  [`interface-${name}`]: { new: { name, type: "", ofport, external_ids: ["map", []], options: ["map", []] } },
});
const bridge = (...names: string[]): TableUpdates["Bridge"] => ({
  bridge: {
    new: {
      name: "br-int",
      datapath_type: "netdev",
      ports: ["set", names.map((name) => ["uuid", `port-${name}`])],
      external_ids: ["map", []],
      mirrors: ["set", []],
    },
  },
});
const pod = { namespace: "default", name: "b", uid: "uid-b", class: 0 };

describe("the view of Open vSwitch", () => {
  const start = { Bridge: bridge("a"), Port: port("a", 5), Interface: device("a", 3) };

  it("is the same value as long as no row has changed", () => {
    const replica = replicaOf(start);
    const view = viewsOf(replica);
    const before = view();
    replica.apply({ Port: port("a", 5) });
    assert.equal(view(), before);
  });

  for (const [what, update] of [
    ["a row that is new", { Bridge: bridge("a", "b"), Port: port("b", 5), Interface: device("b", 4) }],
    ["a row that is another", { Interface: device("a", 9) }],
    ["a row that is gone", { Port: { "port-a": {} } }],
  ] as const)
    it(`shows ${what}`, () => {
      const replica = replicaOf(start);
      const view = viewsOf(replica);
      const before = view();
      replica.apply(update);
      assert.notEqual(view(), before);
      assert.deepEqual(view(), viewsOf(replica)());
    });

  it("lets a Pod be found as soon as its port is there, and its port's number as soon as it has one", () => {
    const replica = replicaOf(start);
    const view = viewsOf(replica);
    const problem = (): string | undefined => findPods([pod], view(), () => null)[0]?.problem?.message;
    assert.match(problem() ?? "", /no Open vSwitch port on this node/);
    replica.apply({ Bridge: bridge("a", "b"), Port: port("b", 5), Interface: device("b", ["set", []]) });
    assert.match(problem() ?? "", /no OpenFlow port number yet/);
    replica.apply({ Interface: device("b", 4) });
    assert.equal(problem(), undefined);
    replica.apply({ Bridge: bridge("a"), Port: { "port-b": {} }, Interface: { "interface-b": {} } });
    assert.equal(findPods([pod], view(), () => null)[0]?.problem?.reason, REASONS.noOVSPort);
  });
});
