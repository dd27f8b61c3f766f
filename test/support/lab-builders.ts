/** Arbitrary matches and actions as objects, for properties. Used by the tests of ovs-ofctl-wrapper. */
import fc from "fast-check";
import {
  gotoTable,
  learn,
  move,
  output,
  popVlan,
  resubmit,
  setField,
} from "../../packages/ovs-ofctl-wrapper/src/index";
import type { Action, Masked, Match } from "../../packages/ovs-ofctl-wrapper/src/index";

const number = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
const octets = (count: number): fc.Arbitrary<number[]> => fc.array(number(255), { minLength: count, maxLength: count });
const mac = octets(6).map((all) => all.map((octet) => octet.toString(16).padStart(2, "0")).join(":"));
const ipv4 = octets(4).map((all) => all.join("."));
const ipv6 = fc
  .array(number(65535), { minLength: 8, maxLength: 8 })
  .map((groups) => new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname.slice(1, -1));
/** Without bits outside of the mask, and neither empty nor full, which are other matches. */
const masked = (max: number): fc.Arbitrary<number | Masked<number>> =>
  fc.oneof(
    number(max),
    fc
      .tuple(number(max), fc.integer({ min: 1, max: max - 1 }))
      .map(([value, mask]) => ({ value: (value & mask) >>> 0, mask })),
  );

const l2: fc.Arbitrary<Match> = fc.record(
  {
    in_port: fc.oneof(number(0xfe00), fc.constant("LOCAL" as const)),
    dl_src: mac,
    dl_dst: fc.oneof(mac, fc.constant("01:00:00:00:00:00/01:00:00:00:00:00")),
    dl_vlan: fc.oneof(number(4095), fc.constant("none" as const)),
    reg3: masked(0xffffffff),
    reg14: masked(0xffffffff),
    pkt_mark: masked(0xffffffff),
    metadata: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
  },
  { requiredKeys: [] },
);
const l3: fc.Arbitrary<Match> = fc.oneof(
  fc.constantFrom<Match>({}, { protocol: "arp" }, { protocol: "ip" }, { protocol: "ipv6", nw_proto: 47 }),
  fc.record({ protocol: fc.constantFrom("ip", "tcp", "udp", "icmp"), nw_src: ipv4 }),
  fc.record({ protocol: fc.constantFrom("ipv6", "tcp6"), ipv6_dst: ipv6 }),
  fc.record({ protocol: fc.constantFrom("tcp", "udp6"), tp_dst: masked(0xffff) }),
  fc.record({ protocol: fc.constantFrom("icmp", "icmp6"), icmp_type: number(255) }),
  fc.constantFrom<Match>({ protocol: "ip", nw_dst: "10.0.0.0/8" }, { protocol: "ipv6", ipv6_src: "fd00::/64" }),
);

export const matchObject = (): fc.Arbitrary<Match> => fc.tuple(l2, l3).map(([a, b]) => ({ ...a, ...b }));

const action: fc.Arbitrary<Action> = fc.oneof(
  number(0xfe00).map((port) => output(port)),
  fc.constantFrom(output("NORMAL"), output("LOCAL"), output(1, 200), resubmit(0), resubmit(245, 7), popVlan()),
  number(0xffffffff).map((value) => setField("reg5", value)),
  number(0xffff).map((value) => setField("reg6", value, 0xffff)),
  fc.bigInt({ min: 0n, max: 0xffffffffffffn }).map((value) => setField("eth_dst", value)),
  number(0xfe00).map((port) => setField("in_port", port)),
  fc.constant(move("NXM_OF_VLAN_TCI[0..11]", "NXM_NX_REG13[0..11]")),
  fc.constant(
    learn("table=245,idle_timeout=300,priority=100,NXM_OF_ETH_SRC[],load:NXM_OF_IN_PORT[]->NXM_OF_IN_PORT[]"),
  ),
);

export const actionObjects = (): fc.Arbitrary<Action[]> =>
  fc
    .tuple(fc.array(action, { maxLength: 4 }), fc.boolean())
    .map(([list, onwards]) => (onwards ? [...list, gotoTable(249)] : list));
