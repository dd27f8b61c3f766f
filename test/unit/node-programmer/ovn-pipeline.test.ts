/** The flows for OVN's integration bridge: by what they are compiled, and what they must never be. Packets are in test/lab. */
import assert from "node:assert/strict";
import { formatFlow } from "ovs-ofctl-wrapper";
import { compile, isOurs, portKeys } from "../../../packages/node-programmer/src/pipeline";
import type { BridgeInput, Home, PodPort } from "../../../packages/node-programmer/src/pipeline";
import { matchesGolden } from "./golden";

const KEY = (port: number): string => `metadata=0x2,reg15=0x${port.toString(16)}`;
const mac = (port: number): string =>
  `0a:00:00:00:${(port >> 8).toString(16).padStart(2, "0")}:${(port & 255).toString(16).padStart(2, "0")}`;
const pod = (ofport: number, more: Partial<PodPort> = {}): PodPort => ({
  ofport,
  egress: [0],
  ingress: [0],
  macs: [mac(ofport)],
  vlans: [0],
  key: KEY(ofport),
  ...more,
});
const home = (ofport: number, more: Partial<Home> = {}): Home => ({
  ofport,
  macs: [mac(ofport)],
  frames: [0],
  native: 0,
  sends: true,
  receives: true,
  ...more,
});
const bridge = (more: Partial<BridgeInput>): BridgeInput => ({
  pipeline: "OVN",
  planHash: "hash",
  taps: [],
  pods: [],
  taggedPorts: [],
  relays: [],
  silentPorts: [],
  carriedTunnels: [],
  ...more,
});
const mirror = bridge({ taps: [{ uid: "u0", target: 90, bit: 0 }], pods: [pod(3), pod(4)], silentPorts: [90] });
const redirect = bridge({
  pods: [pod(3, { egress: [], ingress: [], egressRedirect: 1, ingressRedirect: 1 })],
  silentPorts: [90, 91],
  redirection: { redirects: [{ uid: "u1", target: 90, number: 1 }], returns: [91], homes: [home(3)], visitors: [] },
});

describe("the keys by which OVN knows ports", () => {
  const flow = (actions: string, more = {}) => ({
    table: 65,
    priority: 100,
    cookie: 0xba3f00afn,
    match: "reg15=0x2,metadata=0x2",
    actions,
    ...more,
  });

  it("are read from its own flows that output to a port, with or without a VLAN", () => {
    const tagged = "push_vlan:0x8100,set_field:4196->vlan_vid,output:7,pop_vlan";
    const keys = portKeys([flow("output:1"), flow(tagged, { match: "reg15=0x3,metadata=0x2" })]);
    assert.deepEqual(
      [...keys],
      [
        [1, "metadata=0x2,reg15=0x2"],
        [7, "metadata=0x2,reg15=0x3"],
      ],
    );
  });

  it("are not read from a router's end, another table, a flow of ours, or one with more conditions", () => {
    const others = [
      flow("clone(ct_clear,set_field:0->reg11,resubmit(,8))"),
      flow("output:1", { table: 64 }),
      flow("output:1", { cookie: 0x5443000000000002n }),
      flow("output:1", { match: "ip,reg15=0x2,metadata=0x2" }),
    ];
    assert.deepEqual([...portKeys(others)], []);
  });
});

describe("the OVN pipeline", () => {
  it("mirrors two Pods", () => {
    matchesGolden("ovn-mirror", compile(mirror));
  });

  it("redirects a Pod", () => {
    matchesGolden("ovn-redirect", compile(redirect));
  });

  it("has at most seven flows per Pod, and three per rule", () => {
    const size = (pods: number, rules: number): number =>
      compile(
        bridge({
          taps: Array.from({ length: rules }, (_, bit) => ({ uid: `u${bit}`, target: 5000 + bit, bit })),
          pods: Array.from({ length: pods }, (_, index) =>
            pod(index + 1, { egress: [index % rules], ingress: [index % rules] }),
          ),
        }),
      ).length;
    for (const [pods, rules] of [
      [100, 8],
      [500, 30],
    ] as const)
      assert.ok(size(pods, rules) <= 7 * pods + 3 * rules + 20, `${size(pods, rules)}`);
  });

  it("asks whose packet came back by its sender first: the other order skips NetworkPolicy", () => {
    const back = compile(redirect).filter(({ table, actions }) => table === 248 && actions !== "drop");
    const [sender, receiver] = ["dl_src", "dl_dst"].map((field) => back.filter(({ match }) => match.startsWith(field)));
    assert.ok(sender!.length > 0 && receiver!.length > 0);
    assert.ok(
      Math.min(...sender!.map(({ priority }) => priority)) > Math.max(...receiver!.map(({ priority }) => priority)),
    );
  });

  it("takes what a Pod sends for coming back only while that is taken away", () => {
    const oneWay = (direction: Partial<Home>): string[] =>
      compile({ ...redirect, redirection: { ...redirect.redirection!, homes: [home(3, direction)] } })
        .filter(({ table }) => table === 248)
        .map(({ match }) => match);
    assert.deepEqual(oneWay({ sends: false }), [`dl_dst=${mac(3)}`, ""]);
    assert.deepEqual(oneWay({ receives: false }), [`dl_src=${mac(3)}`, ""]);
  });

  it("compares a key together with the Pod's MAC address, and does without a key where OVN has none", () => {
    const shared = compile(mirror).filter(({ table }) => table === 65);
    assert.ok(shared.length > 0 && shared.every(({ match }) => /dl_dst=/.test(match) && /reg15=/.test(match)));
    const unbound = { ...mirror, pods: mirror.pods.map((each) => ({ ...each, key: undefined })) };
    assert.deepEqual(
      compile(unbound).filter(({ table }) => table === 65),
      [],
    );
  });

  it("takes OVN's own Geneve option from what it delivers only where Geneve tunnels of ours may get it", () => {
    const deletes = (input: BridgeInput): number =>
      compile(input).filter(({ table, actions }) => table === 65 && actions.startsWith("delete_field:tun_metadata0,"))
        .length;
    assert.equal(deletes(mirror), 0);
    assert.equal(deletes({ ...mirror, leavesByGeneve: true }), 4);
  });

  it("drops a redirect's packets while its target is missing", () => {
    const waiting = { ...redirect.redirection!, redirects: [{ uid: "u1", target: null, number: 1 }] };
    const flows = compile({ ...redirect, redirection: waiting }).filter(
      ({ table, match }) => table === 246 && match !== "",
    );
    assert.ok(flows.length === 2 && flows.every(({ actions }) => actions === "drop"));
  });

  it("touches two tables of OVN's, each flow with our cookie and an identity of its own", () => {
    const flows = [...compile(mirror), ...compile(redirect)];
    assert.ok(flows.every(({ cookie }) => isOurs(cookie)));
    assert.deepEqual([...new Set(flows.map(({ table }) => table).filter((table) => table < 240))].sort(), [0, 65]);
    const texts = compile(redirect).map(formatFlow);
    assert.equal(new Set(texts).size, texts.length);
  });
});
