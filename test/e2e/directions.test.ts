/** Which packets are copied, and how often: Ingress, Egress, Both, and several TrafficControls on one Pod. */
import assert from "node:assert/strict";
import type { Direction, TrafficControlSpec } from "@ovs-traffic-control/api";
import type { Packet } from "../support/decode";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { stage } from "../support/e2e/hooks";
import { WEB } from "../support/e2e/pods";
import { mirror, tap } from "../support/e2e/taps";
import { ping, repliesFrom, requestsTo } from "../support/e2e/traffic";

/** Requests that the client sends to the Pod, and that the Pod sends to the client. */
const IN = 30;
const OUT = 20;

interface Counts {
  requestsIn: number;
  repliesOut: number;
  requestsOut: number;
  repliesIn: number;
}

const ingress = { requestsIn: IN, repliesOut: 0, requestsOut: 0, repliesIn: OUT };
const egress = { requestsIn: 0, repliesOut: IN, requestsOut: OUT, repliesIn: 0 };
const both = { ...ingress, repliesOut: IN, requestsOut: OUT };

describe("direction", () => {
  const cases: [Direction, Counts][] = [
    ["Ingress", ingress],
    ["Egress", egress],
    ["Both", both],
  ];
  for (const [direction, wanted] of cases) {
    it(`${direction} copies these packets of a Pod and no others`, async () => {
      await tapVNI("e2e-direction", 1, { direction });
      assert.deepEqual(counts(await stage().collect(pingEachOther), 1), wanted);
    });
  }
});

describe("several TrafficControls on one Pod", () => {
  it("with two targets, copy each packet once to each", async () => {
    await Promise.all([tapVNI("e2e-one", 1), tapVNI("e2e-two", 2)]);
    const packets = await stage().collect(pingEachOther);
    assert.deepEqual([counts(packets, 1), counts(packets, 2)], [both, both]);
  });

  it("with the same target, copy each packet once in all", async () => {
    await Promise.all([tapVNI("e2e-one", 1), tapVNI("e2e-two", 1)]);
    assert.deepEqual(counts(await stage().collect(pingEachOther), 1), both);
  });

  it("with one direction each, share the packets out", async () => {
    await Promise.all([tapVNI("e2e-one", 1, { direction: "Ingress" }), tapVNI("e2e-two", 2, { direction: "Egress" })]);
    const packets = await stage().collect(pingEachOther);
    assert.deepEqual([counts(packets, 1), counts(packets, 2)], [ingress, egress]);
  });
});

describe("both ends selected", () => {
  it("on one bridge: one copy of each packet", async () => {
    const [one] = stage().web;
    const other = await stage().startPod({ name: "web-3", node: one.node, labels: { app: "web" }, script: WEB });
    await tapVNI("e2e-ends", 1);
    const packets = await stage().collect(() => ping(one, other.address, IN));
    assert.equal(requestsTo(packets, other.address).length, IN);
    assert.equal(repliesFrom(packets, other.address).length, IN);
  });

  it("on two nodes: one copy on each node's bridge", async () => {
    const [one, other] = stage().web;
    await tapVNI("e2e-ends", 1);
    const packets = await stage().collect(() => ping(one, other.address, IN));
    const perNode = (copies: Packet[]): number[] => {
      const sources = [...new Set(copies.map(({ tunnel }) => tunnel?.source))];
      return sources.map((source) => copies.filter(({ tunnel }) => tunnel?.source === source).length);
    };
    assert.deepEqual(perNode(requestsTo(packets, other.address)), [IN, IN]);
    assert.deepEqual(perNode(repliesFrom(packets, other.address)), [IN, IN]);
  });
});

async function tapVNI(name: string, vni: number, spec: Partial<TrafficControlSpec> = {}): Promise<void> {
  await tap(stage().objects, mirror(name, { vxlan: { remoteIP, vni } }, spec));
}

async function pingEachOther(): Promise<void> {
  const { client, web } = stage();
  await ping(client, web[0].address, IN);
  await ping(web[0], client.address, OUT);
}

function counts(packets: Packet[], vni: number): Counts {
  const [pod, client] = [stage().web[0].address, stage().client.address];
  const copies = packets.filter(({ tunnel }) => tunnel?.vni === vni);
  return {
    requestsIn: requestsTo(copies, pod).length,
    repliesOut: repliesFrom(copies, pod).length,
    requestsOut: requestsTo(copies, client).length,
    repliesIn: repliesFrom(copies, client).length,
  };
}
