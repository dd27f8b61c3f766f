/** Each of the six kinds of target port, with its fields read back from the wire. */
import assert from "node:assert/strict";
import type { TargetPort } from "@ovs-traffic-control/api";
import { Capture } from "../support/capture";
import type { DecodeOptions, Packet, Tunnel } from "../support/decode";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { stage } from "../support/e2e/hooks";
import { mirror, tap, untap } from "../support/e2e/taps";
import { ping, repliesFrom, requestsTo } from "../support/e2e/traffic";

const PINGS = 20;

interface TunnelCase {
  port: TargetPort;
  /** Without source and destination. */
  wire: Omit<Tunnel, "source" | "destination">;
  decode?: DecodeOptions;
}

/** Index and hardware ID are hexadecimal in Open vSwitch's options: values of 16 and more tell a wrong base. */
const TUNNELS: Record<string, TunnelCase> = {
  "geneve with its defaults": { port: { geneve: { remoteIP } }, wire: { kind: "geneve", udpPort: 6081, vni: 0 } },
  "geneve with the largest VNI on another UDP port": {
    port: { geneve: { remoteIP, vni: 16_777_215, destinationPort: 7081 } },
    wire: { kind: "geneve", udpPort: 7081, vni: 16_777_215 },
    decode: { genevePorts: [7081] },
  },
  "vxlan with a VNI on another UDP port": {
    port: { vxlan: { remoteIP, vni: 5001, destinationPort: 14_789 } },
    wire: { kind: "vxlan", udpPort: 14_789, vni: 5001 },
    decode: { vxlanPorts: [14_789] },
  },
  "gre without a key": { port: { gre: { remoteIP } }, wire: { kind: "gre" } },
  "gre with a key of 32 bits": {
    port: { gre: { remoteIP, key: 4_294_967_295 } },
    wire: { kind: "gre", key: 4_294_967_295 },
  },
  "erspan version 1 with the largest session and index": {
    port: { erspan: { remoteIP, version: 1, sessionID: 1023, index: 1_048_575 } },
    wire: { kind: "erspan", version: 1, sessionID: 1023, index: 1_048_575 },
  },
  "erspan version 1 with index 16": {
    port: { erspan: { remoteIP, version: 1, sessionID: 5, index: 16 } },
    wire: { kind: "erspan", version: 1, sessionID: 5, index: 16 },
  },
  "erspan version 2 with direction 1 and hardware ID 16": {
    port: { erspan: { remoteIP, version: 2, sessionID: 100, dir: 1, hardwareID: 16 } },
    wire: { kind: "erspan", version: 2, sessionID: 100, dir: 1, hardwareID: 16 },
  },
  "erspan version 2 with direction 0 and the largest hardware ID": {
    port: { erspan: { remoteIP, version: 2, dir: 0, hardwareID: 63 } },
    wire: { kind: "erspan", version: 2, sessionID: 0, dir: 0, hardwareID: 63 },
  },
};

describe("tunnels to a collector", () => {
  for (const [name, { port, wire, decode }] of Object.entries(TUNNELS)) {
    it(`${name}: each packet arrives once, with these fields`, async () => {
      const before = await stage().bridges();
      await tap(stage().objects, mirror("e2e-kind", port));
      const packets = await stage().collect(pingBoth, decode);
      for (const pod of stage().web) assertComplete(packets, pod.address);
      const fields = new Set(packets.map(({ tunnel }) => JSON.stringify(withoutAddresses(tunnel))));
      assert.deepEqual(
        [...fields].map((text) => JSON.parse(text) as unknown),
        [wire],
      );
      assert.deepEqual(new Set(packets.map(({ tunnel }) => tunnel?.destination)), new Set([remoteIP]));
      await untap(stage().objects, "e2e-kind");
      assert.deepEqual(await stage().bridgeDifferences(before), []);
    });
  }
});

describe("devices on the node", () => {
  it("ovsInternal: made on each node, up, and each packet leaves through it once and unchanged", async () => {
    const before = await stage().bridges();
    await tap(stage().objects, mirror("e2e-kind", { ovsInternal: { name: "e2e-tap0" } }));
    const packets = await capturedOnNodes("e2e-tap0");
    stage().web.forEach((pod, index) => assertComplete(packets[index]!, pod.address));
    await untap(stage().objects, "e2e-kind");
    assert.deepEqual(await stage().bridgeDifferences(before), []);
  });

  it("device: attached, used, and handed back as it was", async () => {
    const nodes = stage().web.map(({ node }) => node);
    const onEach = (script: string): Promise<unknown> =>
      Promise.all(nodes.map(async (node) => stage().cluster.exec(node, "sh", ["-ec", script])));
    await onEach(
      "ip link add e2e-dev0 type veth peer name e2e-dev0-far; ip link set e2e-dev0 up; ip link set e2e-dev0-far up",
    );
    try {
      const before = await stage().bridges();
      await tap(stage().objects, mirror("e2e-kind", { device: { name: "e2e-dev0" } }));
      const packets = await capturedOnNodes("e2e-dev0-far");
      stage().web.forEach((pod, index) => assertComplete(packets[index]!, pod.address));
      await untap(stage().objects, "e2e-kind");
      assert.deepEqual(await stage().bridgeDifferences(before), []);
    } finally {
      await untap(stage().objects, "e2e-kind");
      await onEach("ip link del e2e-dev0");
    }
  });
});

async function pingBoth(): Promise<void> {
  for (const pod of stage().web) await ping(stage().client, pod.address, PINGS);
}

/** Captures on a device of each web Pod's node while the client pings both. */
async function capturedOnNodes(device: string): Promise<Packet[][]> {
  const { cluster, web } = stage();
  const captures = await Promise.all(
    web.map(({ node }) =>
      Capture.start({ enter: (command, args) => cluster.spawnNode(node, command, args), device, filter: "icmp" }),
    ),
  );
  try {
    await pingBoth();
    return await Promise.all(captures.map((capture) => capture.stop()));
  } finally {
    await Promise.all(captures.map((capture) => capture.discard()));
  }
}

function assertComplete(packets: Packet[], address: string): void {
  const each = Array.from({ length: PINGS }, (_, index) => index);
  const sequences = (found: Packet[]): unknown[] => found.map(({ inner }) => inner.sequence);
  assert.deepEqual(sequences(requestsTo(packets, address)), each, `copies of the requests to ${address}`);
  assert.deepEqual(sequences(repliesFrom(packets, address)), each, `copies of the replies from ${address}`);
}

function withoutAddresses(tunnel: Tunnel | undefined): unknown {
  return { ...tunnel, source: undefined, destination: undefined };
}
