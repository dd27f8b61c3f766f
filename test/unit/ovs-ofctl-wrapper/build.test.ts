import assert from "node:assert/strict";
import fc from "fast-check";
import {
  canonicalActions,
  canonicalMatch,
  flow,
  formatActions,
  formatMatch,
  gotoTable,
  output,
  parseActions,
  parseMatch,
  setField,
  tables,
} from "../../../packages/ovs-ofctl-wrapper/src/index";
import { match as matchText } from "../../support/lab-flows";
import { actionObjects, matchObject } from "../../support/lab-builders";

describe("flows from named tables and fields", () => {
  it("become text as one would write it", () => {
    const T = tables({ classify: 10, output: 20 });
    assert.deepEqual(
      flow({
        table: T.classify,
        priority: 100,
        cookie: 7n,
        match: { protocol: "ip", in_port: 3, nw_dst: "10.0.0.0/8", reg14: { value: 0, mask: 1 }, dl_vlan: "none" },
        actions: [setField("reg1", 5), output(4, 128), gotoTable(T.output)],
      }),
      {
        table: 10,
        priority: 100,
        cookie: 7n,
        match: "ip,in_port=3,nw_dst=10.0.0.0/8,reg14=0x0/0x1,vlan_tci=0x0000/0x1fff",
        actions: "set_field:0x5->reg1,output(port=4,max_len=128),goto_table:20",
      },
    );
    assert.deepEqual(flow({ table: 0, priority: 0, actions: [] }), {
      ...{ table: 0, priority: 0, cookie: 0n },
      ...{ match: "", actions: "drop" },
    });
  });

  it("refuse a table that is none, or has two names, and a field that has none", () => {
    assert.throws(() => tables({ a: 255 }), /table a: 255/);
    assert.throws(() => tables({ a: 1, b: 1 }), /tables a and b are both 1/);
    assert.throws(() => setField("reg16", 1), /no field reg16/);
  });

  it("are read back as what they were", () => {
    fc.assert(fc.property(matchObject(), (match) => assert.deepEqual(parseMatch(formatMatch(match)), match)));
    fc.assert(
      fc.property(actionObjects(), (actions) => {
        const text = formatActions(actions);
        const read = parseActions(text);
        assert.ok(read);
        assert.equal(canonicalActions(formatActions(read)), canonicalActions(text));
      }),
    );
  });

  it("mean the same when a text is read and written again", () => {
    fc.assert(
      fc.property(matchText(), (text) => {
        const match = parseMatch(text);
        if (match) assert.equal(canonicalMatch(formatMatch(match)), canonicalMatch(text));
      }),
    );
  });

  it("are not guessed at: what has no name here is null", () => {
    assert.equal(parseMatch("ip,ct_state=+trk"), null);
    assert.equal(parseMatch("in_port=eth1"), null);
    assert.equal(parseActions("output:1,ct(commit)"), null);
  });
});
