/**
 * Redirects through a device that is a wire: kinds of target × kinds of return port × direction × IPv4/IPv6 × peer. Each
 * packet that is meant goes through the device exactly once and arrives; nothing else does. The programmer is the real one.
 * Called by test/lab, once per network.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Direction, PlanPort } from "@ovs-traffic-control/api";
import type { Capture } from "../../capture";
import { DATAPATH, Lab } from "../../lab";
import type { LabNode, LabPod, LabProgrammer, Packet } from "../../lab";
import { echoes } from "../inline";
import { addressOf, pingAll, warm } from "./peers";
import type { Network } from "./peers";
import { value } from "../../lab-result";

export interface RedirectKind {
  title: string;
  target: PlanPort;
  back: PlanPort;
  /** Where what enters the device is seen: a device on the node, or tunnels from the node at the remote device. */
  device?: string;
}

const REMOTE = "172.31.0.3";
const REMOTE6 = "fd31::3";
const udp = (remoteIP: string, destinationPort: number, vni: number) => ({ remoteIP, destinationPort, vni });
const device = (name: string): PlanPort => ({ device: { name } });
const internal = (name: string): PlanPort => ({ ovsInternal: { name } });
const arm = device("arm");
const vxlan: PlanPort = { vxlan: udp(REMOTE, 4789, 11) };
const geneve: PlanPort = { geneve: udp(REMOTE, 6081, 12) };
const gre: PlanPort = { gre: { remoteIP: REMOTE, key: 13 } };
const greBack: PlanPort = { gre: { remoteIP: REMOTE, key: 14 } };
const geneve6: PlanPort = { geneve: udp(REMOTE6, 6081, 15) };
const vxlan6: PlanPort = { vxlan: udp(REMOTE6, 4789, 16) };

export const REDIRECT_KINDS: RedirectKind[] = [
  { title: "device to device", target: device("w1-t"), back: device("w1-r"), device: "w1-t" },
  { title: "ovsInternal to ovsInternal", target: internal("in-t"), back: internal("in-r"), device: "in-t" },
  { title: "ovsInternal to device", target: internal("mix-t"), back: device("mix-r"), device: "mix-t" },
  { title: "one device for both", target: arm, back: arm, device: "arm-p" },
  { title: "vxlan to geneve", target: vxlan, back: geneve },
  { title: "geneve to gre", target: geneve, back: gre },
  { title: "gre to gre", target: gre, back: greBack },
  { title: "gre to vxlan", target: greBack, back: vxlan },
  { title: "geneve to vxlan over IPv6", target: geneve6, back: vxlan6 },
];
const PINGS = 5;
/** Milliseconds for the last packet to be on the wire. */
const SETTLE = 120;

export interface RedirectMatrix {
  network: Network;
  kinds: readonly RedirectKind[];
  directions: readonly Direction[];
}

export function redirectMatrix(title: string, { network, kinds, directions }: RedirectMatrix): void {
  describe(title, function () {
    let lab: Lab;
    let node: LabNode;
    let programmer: LabProgrammer;
    let selected: LabPod;
    let untouched: unknown;
    const pings = 2 * Object.keys(network.peers).length * PINGS;
    /** What was on the Pod's own wire and what went into the device, and where the bridge saw MAC addresses. */
    const seen = new Map<string, { wire: Packet[]; inspected: Packet[]; fdb: string }>();

    const state = async (): Promise<unknown> => ({
      flows: (await node.ofctl("--no-stats", "dump-flows", "br-int")).split("\n").sort(),
      ports: (await node.vsctl("list-ports", "br-int")).split("\n").sort(),
    });

    before(async function () {
      this.timeout(600_000);
      lab = await Lab.up({ ...network, nodes: { ...network.nodes, n3: [] } });
      node = lab.node("n1");
      selected = lab.pod("a");
      await lab.addWire(node, "w1");
      await lab.addDevice(node, "mix-r");
      await lab.addDevice(node, "arm");
      await bounce(node, "arm-p");
      await remoteWire(lab.node("n3"), node, kinds);
      await warm(lab, network, selected);
      untouched = await state();
      programmer = await lab.program(node);
      const wire = await lab.capture(selected, "eth0");
      const remote = await lab.capture(lab.node("n3"), "eth0", {
        filter: `(udp or ip proto 47 or ip6 proto 47) and (src host ${node.address} or src host ${node.address6})`,
      });
      const times: { key: string; from: number; to: number; fdb: string }[] = [];
      const local = new Map<string, Packet[]>();

      for (const kind of kinds) {
        const rule = (direction: Direction, pods: LabPod[]) => [
          { name: "inline", direction, targetPort: kind.target, returnPort: kind.back, pods },
        ];
        // Its ports first, with a Pod that is silent: a bridge of the kernel joins them.
        await programmer.apply(rule("Both", [lab.pod("b")]));
        if (kind.title.startsWith("ovsInternal"))
          await join(node, kind.device!, kind.back.device ? `${kind.back.device.name}-p` : kind.back.ovsInternal!.name);
        const capture: Capture | null = kind.device === undefined ? null : await lab.capture(node, kind.device);
        for (const direction of directions) {
          const status = await programmer.apply(rule(direction, [selected]));
          assert.equal(status.conditions?.[0]?.status, "True", status.conditions?.[0]?.message);
          await selected.exec("ip", "neigh", "flush", "dev", "eth0");
          const from = Date.now() / 1000;
          await pingAll(lab, network, selected, PINGS);
          await sleep(SETTLE);
          times.push({
            key: `${kind.title} ${direction}`,
            from,
            to: Date.now() / 1000,
            fdb: value(await node.appctl.command("ovs-vswitchd", "fdb/show", "br-int")),
          });
        }
        if (capture) local.set(kind.title, await capture.stop());
      }
      const [onWire, atRemote] = await Promise.all([wire.stop(), remote.stop()]);
      for (const { key, from, to, ...rest } of times) {
        const then = ({ time }: Packet): boolean => time > from && time <= to;
        const inspected = local.get(key.replace(/ \w+$/, "")) ?? atRemote;
        seen.set(key, { wire: onWire.filter(then), inspected: inspected.filter(then), ...rest });
      }
    });
    after(() => lab.down());

    for (const kind of kinds)
      describe(kind.title, () => {
        for (const direction of directions) {
          for (const v6 of [false, true])
            for (const [peerName, where] of Object.entries(network.peers))
              it(`${direction}, IPv${v6 ? 6 : 4}, peer on ${where}`, () => {
                const [own, peer] = [addressOf(selected, v6), addressOf(lab.pod(peerName), v6)];
                const { wire, inspected } = seen.get(`${kind.title} ${direction}`)!;
                const meant = (packets: Packet[]): string[] =>
                  echoes(
                    packets.filter(({ inner }) => {
                      const sent = inner.source === own && inner.destination === peer && direction !== "Ingress";
                      const received = inner.source === peer && inner.destination === own && direction !== "Egress";
                      return sent || received;
                    }),
                  );
                const passes = kind.target === kind.back ? 2 : 1;
                assert.equal(meant(wire).length, PINGS * (direction === "Both" ? 2 : 1));
                const once = meant(wire);
                const expected = Array.from({ length: passes }, () => once)
                  .flat()
                  .sort();
                assert.deepEqual(meant(inspected), expected);
              });

          it(`${direction}: every packet arrives once${network.ovn ? "" : ", and the bridge knows the Pod where it is"}`, async () => {
            const { wire, fdb } = seen.get(`${kind.title} ${direction}`)!;
            const answers = echoes(wire.filter(({ inner }) => [0, 129].includes(inner.icmpType ?? -1)));
            assert.equal(answers.length, pings);
            assert.equal(new Set(answers).size, pings, "none of them twice");
            if (network.ovn) return;
            const port = await node.ofport(selected.port);
            assert.match(fdb, new RegExp(`^\\s*${port}\\s+0\\s+${selected.mac}`, "m"));
          });
        }

        it("nothing else goes into the device: no ARP, no neighbour discovery, no packet twice", () => {
          for (const direction of directions) {
            const { wire, inspected } = seen.get(`${kind.title} ${direction}`)!;
            for (const protocol of ["arp", "icmpv6"])
              assert.ok(
                wire.some(({ inner }) => inner.protocol === protocol && ![128, 129].includes(inner.icmpType ?? 0)),
              );
            const passes = kind.target === kind.back ? 2 : 1;
            assert.equal(inspected.length, pings * passes * (direction === "Both" ? 2 : 1), direction);
          }
        });
      });

    it("leaves nothing behind", async () => {
      await programmer.apply([]);
      assert.deepEqual(await state(), untouched);
    });
  });
}

/** A bridge of the kernel between two devices of the node that never learns. */
async function join(node: LabNode, a: string, b: string): Promise<void> {
  const bridge = `j-${a}`;
  await node.exec("ip", "link", "add", bridge, "type", "bridge", "mcast_snooping", "0");
  await node.exec("sysctl", "-qw", `net.ipv6.conf.${bridge}.disable_ipv6=1`);
  await node.exec("ip", "link", "set", bridge, "up");
  for (const end of [a, b]) {
    await node.exec("ip", "link", "set", end, "master", bridge, "up");
    await node.exec("bridge", "link", "set", "dev", end, "learning", "off");
  }
}

/** What comes in leaves where it came in. */
async function bounce(node: LabNode, device: string): Promise<void> {
  await node.exec("ip", "link", "add", "j-arm", "type", "bridge", "mcast_snooping", "0");
  await node.exec("sysctl", "-qw", "net.ipv6.conf.j-arm.disable_ipv6=1");
  await node.exec("ip", "link", "set", "j-arm", "up");
  await node.exec("ip", "link", "set", device, "master", "j-arm", "up");
  await node.exec("bridge", "link", "set", "dev", device, "learning", "off", "hairpin", "on");
}

/** On another node: what comes through the tunnel of a target leaves through that of the return port. */
async function remoteWire(wire: LabNode, node: LabNode, all: readonly RedirectKind[]): Promise<void> {
  // Open vSwitch overhears the answers; else its tunnels would lose packets until it has asked for itself.
  for (const address of [node.address, node.address6]) await wire.exec("ping", "-q", "-c", "1", address);
  const settings = [`datapath_type=${DATAPATH}`, "fail_mode=secure"];
  await wire.vsctl("add-br", "br-wire", "--", "set", "bridge", "br-wire", ...settings);
  const ports = new Map<string, string>();
  for (const port of all.flatMap(({ target, back }) => [target, back])) {
    const [kind = "", fields] = Object.entries(port)[0] ?? [];
    if (fields === undefined || "name" in fields || ports.has(JSON.stringify(port))) continue;
    const id = `p${ports.size}`;
    const remote = fields.remoteIP.includes(":") ? node.address6 : node.address;
    const key = "key" in fields ? fields.key : "vni" in fields ? fields.vni : 0;
    await wire.vsctl(
      ...["add-port", "br-wire", id, "--", "set", "interface", id, `type=${kind}`],
      ...[`options:key=${key}`, `options:remote_ip="${remote}"`],
    );
    ports.set(JSON.stringify(port), id);
  }
  for (const { target, back } of all) {
    const [from, to] = [ports.get(JSON.stringify(target)), ports.get(JSON.stringify(back))];
    if (from === undefined || to === undefined) continue;
    const [a, b] = [await wire.ofport(from), await wire.ofport(to)];
    await wire.ofctl("add-flow", "br-wire", `in_port=${a},actions=output:${b}`);
  }
}
