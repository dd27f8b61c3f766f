/**
 * Services by OVN's load balancers, whose client, server or both are redirected: the connection is whole, each packet goes
 * through the device once, and it sees the addresses of one connection; stateful ACLs are in force. Hairpins too: a Pod that
 * reaches itself by a Service.
 */
import assert from "node:assert/strict";
import type { Direction } from "@ovs-traffic-control/api";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule, Packet, Wire } from "../support/lab";
import { seen, through } from "../support/lab/inline";
import type { Place } from "../support/lab/inline";
import { addressOf } from "../support/lab/matrix/peers";
import { fetchFrom, serve } from "../support/lab/transfer";
import { long } from "../support/slow";

const BYTES = 200_000;
const PORT = 8080;

long("Services on real OVN", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let wire: Wire;
  let a: LabPod;
  /** Server → its Service's address. */
  const services = { a: "1", c: "2", d: "3" };
  const addressOfService = (server: keyof typeof services, v6: boolean): string =>
    v6 ? `fd99::${services[server]}` : `10.99.0.${services[server]}`;

  before(async function () {
    this.timeout(90_000);
    lab = await Lab.up({ nodes: { n1: ["a", "c"], n2: ["d"] }, ovn: { a: 9, c: 8, d: 8 } });
    node = lab.node("n1");
    a = lab.pod("a");
    wire = await lab.addWire(node, "w");
    for (const name of ["c", "d"]) for (const v6 of [false, true]) await a.ping(lab.pod(name), { v6, count: 10 });
    const words: string[] = [];
    for (const name of ["a", "c", "d"] as const) {
      await serve(lab.pod(name), PORT, BYTES);
      const lb = `lb-${name}`;
      const ends = [false, true].map((v6) => {
        const [front, back] = [addressOfService(name, v6), addressOf(lab.pod(name), v6)];
        return v6 ? [`[${front}]:80`, `[${back}]:${PORT}`] : [`${front}:80`, `${back}:${PORT}`];
      });
      for (const end of ends) words.push("--", "lb-add", lb, ...end, "tcp");
      for (const on of ["sw8", "sw9"]) words.push("--", "ls-lb-add", on, lb);
    }
    const acl = (...rule: string[]): string[] => ["--", "acl-add", ...rule];
    words.push(...acl("sw9", "from-lport", "1000", `inport == "${a.logicalPort}" && tcp`, "allow-related"));
    words.push(
      ...acl("sw9", "to-lport", "1000", `outport == "${a.logicalPort}" && tcp.dst == ${PORT}`, "allow-related"),
    );
    words.push(...acl("sw9", "to-lport", "900", `outport == "${a.logicalPort}" && ip && !icmp6`, "drop"));
    await lab.ovn.nbctl(...words.slice(1));
    await lab.ovn.sync();
    programmer = await lab.program(node);
  });
  after(() => lab.down());

  /** What the Pod's own wire and another place see of one transfer from the Service. */
  async function transfer(own: LabPod, place: Place, server: keyof typeof services, v6: boolean): Promise<Packet[][]> {
    const places: Place[] = [[own, "eth0"], place];
    const fetch = async (): Promise<void> => {
      assert.equal(await fetchFrom(a, addressOfService(server, v6), 80), BYTES);
    };
    return seen(lab, places, fetch, "tcp");
  }

  const selections: Record<string, ("a" | "c")[]> = { client: ["a"], server: ["c"], "client and server": ["a", "c"] };
  for (const [who, names] of Object.entries(selections))
    for (const v6 of [false, true])
      it(`redirects the ${who}, IPv${v6 ? 6 : 4}`, async () => {
        await programmer.apply([through(wire, names.map((name) => lab.pod(name)))]); // prettier-ignore
        const [own, inspected] = await transfer(lab.pod(names[0]!), [node, wire.target], "c", v6);
        assert.ok(inspected!.length > 140);
        if (names.length === 1) {
          assert.deepEqual(segments(inspected!), segments(own!));
          assert.equal(new Set(inspected!.map(ends)).size, 1, "one connection, for the device too");
          return;
        }
        // Each as its sender has sent it.
        const sent = (packets: Packet[]): Packet[] => packets.filter(({ inner }) => inner.sourceMAC === a.mac);
        assert.deepEqual(segments(sent(inspected!)), segments(sent(own!)));
        assert.equal(inspected!.length, own!.length, "none of them twice, none past it");
      });

  for (const v6 of [false, true])
    it(`redirects a client whose server is on another node, IPv${v6 ? 6 : 4}`, async () => {
      await programmer.apply([through(wire, [a])]);
      const [own, inspected] = await transfer(a, [node, wire.target], "d", v6);
      assert.deepEqual(segments(inspected!), segments(own!));
      assert.equal(new Set(inspected!.map(ends)).size, 1);
    });

  const mirror = (direction: Direction): LabRule => ({
    ...{ name: "tap", direction, pods: [a] },
    targetPort: { ovsInternal: { name: "tap1" } },
  });
  for (const direction of ["Ingress", "Egress", "Both"] as const)
    for (const action of ["Redirect", "Mirror"])
      for (const v6 of [false, true])
        it(`hairpin, ${action}, ${direction}, IPv${v6 ? 6 : 4}: each packet once`, async () => {
          const inline = action === "Redirect";
          await programmer.apply([inline ? through(wire, [a], { direction }) : mirror(direction)]);
          const [own, found] = await transfer(a, [node, inline ? wire.target : "tap1"], "a", v6);
          const meant = own!.filter(({ inner }) => (inner.sourceMAC === a.mac) === (direction !== "Ingress"));
          assert.ok(meant.length > 140);
          assert.deepEqual(segments(found!), segments(meant));
        });
});

/** Each packet as a line; one that is sent again is there again. */
function segments(packets: readonly Packet[]): string[] {
  return packets
    .map(({ inner: { source, sourcePort, destination, destinationPort, sequence, flags, payload } }) =>
      [source, sourcePort, destination, destinationPort, sequence, flags, payload].join(" "),
    )
    .sort();
}

/** The two ends of a packet, in either direction the same. */
function ends({ inner: { source, sourcePort, destination, destinationPort } }: Packet): string {
  return [`${source} ${sourcePort}`, `${destination} ${destinationPort}`].sort().join(" ");
}
