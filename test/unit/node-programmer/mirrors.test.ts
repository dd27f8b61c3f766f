/** Which Mirror rows a bridge has to have, and what leads there. */
import assert from "node:assert/strict";
import { rowChanges, wantedRows, withoutRoom } from "../../../packages/node-programmer/src/mirrors";
import type { BridgeView, MirrorView } from "../../../packages/node-programmer/src/ovs";
import { ovsView, podPort } from "./views";

const ports = [
  podPort("a", "uid-a", { ofport: 1 }),
  podPort("b", "uid-b", { ofport: 2 }),
  { name: "t", ofport: 9 },
  { name: "u", ofport: 8 },
];

function bridge(mirrors: MirrorView[] = []): BridgeView {
  return { ...ovsView({ "br-int": ports }).bridges[0]!, mirrors };
}

function row(name: string, more: Partial<MirrorView> = {}): MirrorView {
  return {
    ...{ uuid: `row-${name}`, name, output: `port-${name}`, sources: ["port-a"], destinations: [] },
    ...{ isSpecial: false, ours: true },
    ...more,
  };
}

const pod = (ofport: number, egress: number[], ingress: number[]) => ({
  ofport,
  egress,
  ingress,
  macs: [],
  vlans: [0],
});
const tap = (uid: string, target: number, bit: number) => ({ uid, target, bit });

describe("Mirror rows", () => {
  it("are one per target, with the ports of all rules that send to it, and count for the oldest", () => {
    const input = {
      taps: [tap("x", 9, 0), tap("y", 9, 1), tap("z", 8, 2)],
      pods: [pod(1, [0, 2], [2]), pod(2, [1], [0])],
    };
    assert.deepEqual(wantedRows(input, bridge()), [
      { name: "t", output: "port-t", sources: ["port-a", "port-b"], destinations: ["port-b"], uid: "x" },
      { name: "u", output: "port-u", sources: ["port-a"], destinations: ["port-a"], uid: "z" },
    ]);
  });

  const wanted = { name: "t", output: "port-t", sources: ["port-a"], destinations: [], uid: "x" };
  const cases: [string, MirrorView[], string[], string[]][] = [
    ["leave a row as it is that is right, and one of others", [row("t"), row("o", { ours: false })], [], []],
    ["are made and attached", [], ["insert", "mutate"], ["t"]],
    ["get other ports", [row("t", { sources: [] })], ["update"], ["t"]],
    ["are repaired where somebody has made them select more", [row("t", { isSpecial: true })], ["update"], ["t"]],
    ["get an output again after it was gone for a moment", [row("t", { output: undefined })], ["update"], ["t"]],
    ["go, if nobody wants them", [row("t"), row("u")], ["mutate"], ["u"]],
    ["go, if they are there twice", [row("t"), row("t", { uuid: "second" })], ["mutate"], ["t"]],
  ];
  for (const [title, mirrors, operations, changed] of cases)
    it(title, () => {
      const found = rowChanges([wanted], bridge(mirrors));
      assert.deepEqual([found.operations.map(({ op }) => op), found.changed], [operations, changed]);
    });

  it("never have rows of others among what is taken away", () => {
    const { operations } = rowChanges([], bridge([row("t"), row("o", { ours: false })]));
    assert.match(JSON.stringify(operations), /row-t/);
    assert.doesNotMatch(JSON.stringify(operations), /row-o/);
  });

  it("have room beside others' up to 32; the youngest get none, and what is there stays", () => {
    const theirs = Array.from({ length: 30 }, (_, index) => row(`o${index}`, { ours: false }));
    assert.deepEqual([...withoutRoom(bridge(theirs), ["t", "u"])], []);
    assert.deepEqual([...withoutRoom(bridge(theirs), ["t", "u", "v"])], ["v"]);
    assert.deepEqual([...withoutRoom(bridge([...theirs, row("v")]), ["t", "u", "v"])], ["u"]);
    const full = [...theirs, row("o30", { ours: false }), row("o31", { ours: false }), row("v")];
    assert.deepEqual([...withoutRoom(bridge(full), ["t", "v"])], ["t"], "others have made too many since");
  });
});
