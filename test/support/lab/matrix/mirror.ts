/**
 * Every target kind × direction × IPv4/IPv6 × peer: the copies are counted exactly, and the headers around them are read by
 * tshark on the wire. The programmer is the real one. Called by test/lab, once per network.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Direction, PlanPort } from "@ovs-traffic-control/api";
import { Lab } from "../../lab";
import { echoes } from "../inline";
import { addressOf, pingAll, warm } from "./peers";
import type { Network } from "./peers";
import type { LabNode, LabPod, LabRule, Packet, Tunnel } from "../../lab";

export interface MirrorKind {
  title: string;
  port: PlanPort;
  /** Where its copies are seen: a device on the node, or tunnels at the collector. */
  device?: string;
  /** What has to be around each copy. */
  tunnel?: Partial<Tunnel>;
}

const V4 = "172.31.0.200";
const V6 = "fd31::c8";
const udp = (remoteIP: string, destinationPort: number, vni: number) => ({ remoteIP, destinationPort, vni });
export const MIRROR_KINDS: MirrorKind[] = [
  { title: "ovsInternal", port: { ovsInternal: { name: "tap-int" } }, device: "tap-int" },
  { title: "device", port: { device: { name: "tap-dev" } }, device: "tap-dev-p" },
  {
    title: "geneve",
    port: { geneve: udp(V4, 6081, 0xffffff) },
    tunnel: { kind: "geneve", udpPort: 6081, vni: 0xffffff },
  },
  {
    title: "geneve over IPv6 on a port of its own",
    port: { geneve: udp(V6, 6082, 7) },
    tunnel: { kind: "geneve", udpPort: 6082, vni: 7 },
  },
  { title: "vxlan", port: { vxlan: udp(V4, 4789, 0) }, tunnel: { kind: "vxlan", udpPort: 4789, vni: 0 } },
  {
    title: "vxlan over IPv6 on a port of its own",
    port: { vxlan: udp(V6, 1111, 5001) },
    tunnel: { kind: "vxlan", udpPort: 1111, vni: 5001 },
  },
  { title: "gre", port: { gre: { remoteIP: V4, key: 0xffffffff } }, tunnel: { kind: "gre", key: 0xffffffff } },
  { title: "gre over IPv6", port: { gre: { remoteIP: V6, key: 0 } }, tunnel: { kind: "gre" } },
  {
    title: "erspan version 1",
    port: { erspan: { remoteIP: V4, sessionID: 1023, version: 1, index: 0xfffff } },
    tunnel: { kind: "erspan", version: 1, sessionID: 1023, index: 0xfffff },
  },
  {
    title: "erspan version 2",
    port: { erspan: { remoteIP: V4, sessionID: 5, version: 2, dir: 1, hardwareID: 63 } },
    tunnel: { kind: "erspan", version: 2, sessionID: 5, dir: 1, hardwareID: 63 },
  },
  {
    title: "erspan version 2 over IPv6",
    port: { erspan: { remoteIP: V6, sessionID: 6, version: 2, dir: 0, hardwareID: 10 } },
    tunnel: { kind: "erspan", version: 2, sessionID: 6, dir: 0, hardwareID: 10 },
  },
];
const PINGS = 6;
/** Milliseconds for a copy to arrive that should not. */
const SETTLE = 40;

export interface MirrorMatrix {
  network: Network;
  kinds: readonly MirrorKind[];
  directions: readonly Direction[];
}

export function mirrorMatrix(title: string, { network, kinds, directions }: MirrorMatrix): void {
  describe(title, function () {
    let lab: Lab;
    let node: LabNode;
    let selected: LabPod;
    /** What was on the Pod's own wire, and in the copies, for each kind and direction. */
    const seen = new Map<string, { wire: Packet[]; copies: Packet[] }>();
    const of = (kind: MirrorKind, direction: Direction): { wire: Packet[]; copies: Packet[] } =>
      seen.get(`${kind.title} ${direction}`)!;

    /** Copies while the Pod pings its peers over IPv4 and IPv6. */
    const expected = (direction: Direction): number =>
      2 * Object.keys(network.peers).length * PINGS * (direction === "Both" ? 2 : 1);

    before(async function () {
      this.timeout(600_000);
      lab = await Lab.up(network);
      node = lab.node("n1");
      selected = lab.pod("a");
      await lab.addDevice(node, "tap-dev");
      await warm(lab, network, selected);
      const programmer = await lab.program(node);
      const wire = await lab.capture(selected, "eth0");
      const tunnels = await lab.captureTunnels({ genevePorts: [6082], vxlanPorts: [1111] });
      const times: { kind: MirrorKind; direction: Direction; from: number; to: number }[] = [];
      const devices = new Map<MirrorKind, Packet[]>();

      for (const kind of kinds) {
        const rule = (direction: Direction): LabRule[] => [
          { name: "tap", direction, targetPort: kind.port, pods: [selected] },
        ];
        // An internal port is there only once a rule wants it.
        if (kind.device !== undefined) await programmer.apply(rule("Ingress"));
        const device = kind.device === undefined ? null : await lab.capture(node, kind.device);
        for (const direction of directions) {
          const status = await programmer.apply(rule(direction));
          assert.equal(status.conditions?.[0]?.status, "True", status.conditions?.[0]?.message);
          const copies = device ?? tunnels;
          const already = copies.count;
          const from = Date.now() / 1000;
          // With no neighbour known, ARP and neighbour discovery have to take place too.
          await selected.exec("ip", "neigh", "flush", "dev", "eth0");
          await pingAll(lab, network, selected, PINGS);
          await copies.reach(already + expected(direction));
          await sleep(SETTLE);
          times.push({ kind, direction, from, to: Date.now() / 1000 });
        }
        if (device) devices.set(kind, await device.stop());
      }
      const [onWire, atCollector] = await Promise.all([wire.stop(), tunnels.stop()]);
      for (const { kind, direction, from, to } of times) {
        const then = ({ time }: Packet): boolean => time > from && time <= to;
        const copies = (devices.get(kind) ?? atCollector).filter(then);
        seen.set(`${kind.title} ${direction}`, { wire: onWire.filter(then), copies });
      }
    });
    after(() => lab.down());

    for (const kind of kinds)
      describe(kind.title, () => {
        for (const direction of directions)
          for (const v6 of [false, true])
            for (const [peerName, where] of Object.entries(network.peers))
              it(`${direction}, IPv${v6 ? 6 : 4}, peer on ${where}`, () => {
                const [own, peer] = [addressOf(selected, v6), addressOf(lab.pod(peerName), v6)];
                const { wire, copies } = of(kind, direction);
                const between = (packets: Packet[]): string[] =>
                  echoes(
                    packets.filter(({ inner }) => {
                      const sent = inner.source === own && inner.destination === peer && direction !== "Ingress";
                      const received = inner.source === peer && inner.destination === own && direction !== "Egress";
                      return sent || received;
                    }),
                  );
                assert.equal(between(wire).length, PINGS * (direction === "Both" ? 2 : 1), "the Pod's own traffic");
                assert.deepEqual(between(copies), between(wire));
              });

        it("nothing but these: no ARP, no neighbour discovery, no second copy", () => {
          for (const direction of directions) {
            const { wire, copies } = of(kind, direction);
            for (const protocol of ["arp", "icmpv6"])
              assert.ok(
                wire.some(({ inner }) => inner.protocol === protocol && ![128, 129].includes(inner.icmpType ?? 0)),
              );
            assert.equal(copies.length, expected(direction), direction);
          }
        });

        if (kind.tunnel)
          it("carries the fields of its port in every packet", () => {
            const over6 = kind.title.includes("over IPv6");
            const expected = {
              source: over6 ? node.address6 : node.address,
              destination: over6 ? V6 : V4,
              ...kind.tunnel,
            };
            for (const direction of directions)
              for (const { tunnel } of of(kind, direction).copies) assert.deepEqual(tunnel, expected);
            // No options of somebody else's: every copy has the same headers around it.
            for (const direction of directions)
              for (const v6 of [false, true]) {
                const family = of(kind, direction).copies.filter(({ inner }) => inner.source?.includes(":") === v6);
                assert.equal(new Set(family.map(({ length }) => length)).size, 1);
              }
          });
      });
  });
}
