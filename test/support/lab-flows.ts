/** Arbitrary flows that Open vSwitch accepts, for properties. Used by the tests of ovs-ofctl-wrapper. */
import fc from "fast-check";
import type { Flow } from "../../packages/ovs-ofctl-wrapper/src/index";

const number = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
const hex = (value: number): string => `0x${value.toString(16)}`;
/** A number spelled in decimal or hexadecimal: both are read, only one of them is printed. */
const spelled = (max: number): fc.Arbitrary<string> =>
  fc.tuple(number(max), fc.boolean()).map(([value, inHex]) => (inHex ? hex(value) : String(value)));
const octets = (count: number): fc.Arbitrary<number[]> => fc.array(number(255), { minLength: count, maxLength: count });
const mac = octets(6).map((all) => all.map((octet) => octet.toString(16).padStart(2, "0")).join(":"));
const ipv4 = octets(4).map((all) => all.join("."));
const ipv6 = fc
  .array(number(65535), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(":"));

const register = fc.oneof(
  fc.tuple(number(15), spelled(0xffffffff)).map(([n, value]) => `reg${n}=${value}`),
  fc
    .tuple(number(15), number(0xffffffff), number(0xffffffff))
    .map(([n, value, mask]) => `reg${n}=${hex((value & mask) >>> 0)}/${hex(mask)}`),
);
const inPort = fc.oneof(
  number(0xfe00).map((port) => `in_port=${port}`),
  fc.constant("in_port=LOCAL"),
);
const macField = fc.oneof(
  fc.tuple(fc.constantFrom("dl_src", "dl_dst", "eth_src", "eth_dst"), mac).map(([field, value]) => `${field}=${value}`),
  fc.constant("dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"),
);
const vlan = fc.oneof(
  number(4095).map((vid) => `dl_vlan=${vid}`),
  number(4095).map((vid) => `vlan_tci=${hex(vid | 0x1000)}/0x1fff`),
  fc.constant("vlan_tci=0x0000/0x1fff"),
  fc.constantFrom("vlan_tci=0", "vlan_tci=0/0x1000", "vlan_tci=0x1000/0x1000", "dl_vlan=0xffff", "dl_vlan=65535"),
  fc.tuple(number(4095), number(7)).map(([vid, pcp]) => `dl_vlan=${vid},dl_vlan_pcp=${pcp}`),
);
const l3 = fc.oneof(
  fc.constantFrom("ip", "ipv6", "arp", "icmp", "icmp6", "tcp", "udp6", "dl_type=0x0800", "dl_type=0x86dd,nw_proto=58"),
  fc.tuple(ipv4, number(32)).map(([address, length]) => `ip,nw_src=${address}/${length}`),
  fc.tuple(ipv6, number(128)).map(([address, length]) => `ipv6,ipv6_dst=${address}/${length}`),
  fc
    .tuple(fc.constantFrom("tcp", "udp", "tcp6"), number(65535))
    .map(([protocol, port]) => `${protocol},tp_dst=${port}`),
  number(255).map((type) => `icmp6,icmp_type=${type}`),
  fc.constant("ip,nw_frag=later"),
  fc.tuple(number(7), spelled(0xffffffff)).map(([, value]) => `pkt_mark=${value}`),
  spelled(0xffffff).map((value) => `tun_id=${value}`),
  spelled(0xffffff).map((value) => `metadata=${value}`),
);

/** Each part at most once, in any order: Open vSwitch prints them in an order of its own. */
export const match = (): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.option(register, { nil: null }),
      fc.option(inPort, { nil: null }),
      fc.option(macField, { nil: null }),
      fc.option(vlan, { nil: null }),
      fc.option(l3, { nil: null }),
    )
    .chain((parts) => {
      const present = parts.filter((part): part is string => part !== null);
      return fc.shuffledSubarray(present, { minLength: present.length }).map((shuffled) => shuffled.join(","));
    });

const action = fc.oneof(
  number(0xfe00).map((port) => `output:${port}`),
  fc.constantFrom("LOCAL", "NORMAL", "IN_PORT", "output:LOCAL", "in_port", "normal", "resubmit(,0)", "resubmit(,245)"),
  fc.tuple(number(15), spelled(0xffffffff)).map(([n, value]) => `load:${value}->NXM_NX_REG${n}[]`),
  fc.tuple(number(15), number(31)).map(([n, bit]) => `load:1->NXM_NX_REG${n}[${bit}]`),
  fc
    .tuple(number(15), number(15), spelled(0xffff))
    .map(([n, from, v]) => `load:${v}->NXM_NX_REG${n}[${from}..${from + 15}]`),
  fc.tuple(number(15), spelled(0xffffffff)).map(([n, value]) => `set_field:${value}->reg${n}`),
  number(0xfe00).map((port) => `load:${port}->NXM_OF_IN_PORT[]`),
  fc.tuple(fc.constantFrom("src", "dst"), mac).map(([end, value]) => `set_field:${value}->eth_${end}`),
  spelled(0xffffffff).map((value) => `load:${value}->NXM_NX_PKT_MARK[]`),
  fc.constant("move:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG11[0..11]"),
  number(1500).map((length) => `output(port=1,max_len=${length + 14})`),
  fc.constant(
    "learn(table=245,priority=100,cookie=0x5443000000000009,idle_timeout=300,limit=4096,NXM_OF_ETH_SRC[],NXM_OF_VLAN_TCI[0..11],load:NXM_OF_IN_PORT[]->NXM_OF_IN_PORT[])",
  ),
);

const actions = (): fc.Arbitrary<string> =>
  fc
    .tuple(fc.array(action, { maxLength: 4 }), fc.boolean())
    .map(([list, onwards]) => [...list, ...(onwards || list.length === 0 ? ["goto_table:249"] : [])].join(","))
    .chain((text) => fc.constantFrom(text, text, text, "drop"));

export const flow = (): fc.Arbitrary<Flow> =>
  fc.record({
    table: fc.integer({ min: 240, max: 248 }),
    priority: number(65535),
    cookie: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
    match: match(),
    actions: actions(),
  });
