/**
 * Manifests, right and wrong, one per rule and boundary. Judged three times: by the rules (test/unit/admission), by a real
 * API server with the CRD alone, and by one with the webhooks (test/e2e/admission*.test.ts).
 */

export interface Case {
  title: string;
  /** Put over BASE, key by key; undefined takes the key away. */
  change: Record<string, unknown>;
}

export const BASE = {
  appliedTo: { podSelector: { matchLabels: { app: "web" } } },
  direction: "Both",
  action: "Mirror",
  targetPort: { vxlan: { remoteIP: "10.0.10.2" } },
};

/** The TrafficControl of a case. */
export function manifest({ change }: Case, name = "case"): Record<string, unknown> {
  const all: Record<string, unknown> = { ...BASE, ...change };
  const spec = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return { apiVersion: "crd.antrea.io/v1alpha2", kind: "TrafficControl", metadata: { name }, spec };
}

const returnPort = { ovsInternal: { name: "firewall1" } };
const redirect = (targetPort: unknown, back: unknown = returnPort): Case["change"] => ({
  ...{ action: "Redirect", targetPort, returnPort: back },
});
const target = (targetPort: unknown): Case["change"] => ({ targetPort });
const name = (value: unknown): Case["change"] => target({ ovsInternal: { name: value } });
const remote = (value: unknown): Case["change"] => target({ vxlan: { remoteIP: value } });
const vxlan = (fields: object): Case["change"] => target({ vxlan: { remoteIP: "10.0.10.2", ...fields } });
const gre = (fields: object): Case["change"] => target({ gre: { remoteIP: "10.0.10.2", ...fields } });
const erspan = (fields: object): Case["change"] => target({ erspan: { remoteIP: "10.0.10.2", ...fields } });
const labels = (matchLabels: unknown): Case["change"] => ({ appliedTo: { podSelector: { matchLabels } } });
const expression = (requirement: unknown): Case["change"] => ({
  appliedTo: { namespaceSelector: { matchExpressions: [requirement] } },
});
const many = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`label-${index}`, "x"]));

const named = (cases: Record<string, Case["change"]>): Case[] =>
  Object.entries(cases).map(([title, change]) => ({ title, change }));

export const VALID: readonly Case[] = named({
  "a mirror to a VXLAN tunnel": {},
  "a selector of nothing": { appliedTo: {} },
  "a selector of every Pod": { appliedTo: { podSelector: {} } },
  "Pods of some Namespaces": { appliedTo: { namespaceSelector: { matchLabels: { team: "red" } }, podSelector: {} } },
  "ingress only": { direction: "Ingress" },
  "egress only": { direction: "Egress" },
  "an internal port": target({ ovsInternal: { name: "tap0" } }),
  "a device": target({ device: { name: "eth1.100" } }),
  "a name of one letter": name("a"),
  "a name that begins with an underscore": name("_tap"),
  "a name of 15 bytes": name("fifteen-letters"),
  "a redirect": redirect({ ovsInternal: { name: "firewall0" } }),
  "a redirect through devices": redirect({ device: { name: "eth1" } }, { device: { name: "eth2" } }),
  "a redirect through tunnels": redirect(
    { geneve: { remoteIP: "10.0.10.2", vni: 1 } },
    { geneve: { remoteIP: "10.0.10.2", vni: 2 } },
  ),
  "a redirect that comes back through VXLAN": redirect(
    { gre: { remoteIP: "fd00::2" } },
    { vxlan: { remoteIP: "fd00::2" } },
  ),
  "a redirect that comes back through GRE": redirect(
    { gre: { remoteIP: "10.0.10.2" } },
    { gre: { remoteIP: "10.0.10.3" } },
  ),
  "a one-armed redirect": redirect({ ovsInternal: { name: "firewall0" } }, { ovsInternal: { name: "firewall0" } }),
  "a Geneve tunnel": target({ geneve: { remoteIP: "10.0.10.2", destinationPort: 6082, vni: 7 } }),
  "the lowest UDP port": vxlan({ destinationPort: 1 }),
  "the highest UDP port": vxlan({ destinationPort: 65535 }),
  "VNI 0": vxlan({ vni: 0 }),
  "the highest VNI": vxlan({ vni: 16777215 }),
  "GRE without a key": gre({}),
  "GRE key 0": gre({ key: 0 }),
  "the highest GRE key that Antrea reads": gre({ key: 2147483647 }),
  "the highest GRE key": gre({ key: 4294967295 }),
  "ERSPAN version 1": erspan({ version: 1 }),
  "ERSPAN version 1 with its fields": erspan({ version: 1, sessionID: 1023, index: 1048575 }),
  "ERSPAN version 2": erspan({ version: 2 }),
  "ERSPAN version 2 with its fields": erspan({ version: 2, sessionID: 0, dir: 1, hardwareID: 63 }),
  "ERSPAN version 2 with zeros": erspan({ version: 2, dir: 0, hardwareID: 0 }),
  "an IPv6 collector": remote("fd00::2"),
  "an IPv6 address written long": remote("FD00:0:0:0:0:0:0:0002"),
  "an IPv6 address with an IPv4 tail": remote("64:ff9b::10.0.10.2"),
  "a public address": remote("203.0.113.7"),
  "an address of the former class E": remote("240.0.0.1"),
  "a label key with a prefix": labels({ "app.kubernetes.io/name": "web" }),
  "an empty label value": labels({ app: "" }),
  "a label value of 63 bytes": labels({ app: "x".repeat(63) }),
  "a label key of 63 bytes": labels({ ["k".repeat(63)]: "x" }),
  "a label key with the longest prefix": labels({ [`${"a.".repeat(126)}b/k`]: "x" }),
  "64 labels": labels(many(64)),
  "operator In": expression({ key: "team", operator: "In", values: ["red", "blue"] }),
  "operator NotIn": expression({ key: "team", operator: "NotIn", values: [""] }),
  "operator Exists": expression({ key: "team", operator: "Exists" }),
  "operator Exists with an empty list": expression({ key: "team", operator: "Exists", values: [] }),
  "operator DoesNotExist": expression({ key: "team", operator: "DoesNotExist" }),
  "64 values": expression({ key: "team", operator: "In", values: Object.keys(many(64)) }),
});

export const INVALID: readonly Case[] = named({
  // What must be there
  "no appliedTo": { appliedTo: undefined },
  "no direction": { direction: undefined },
  "no action": { action: undefined },
  "no targetPort": { targetPort: undefined },
  "nothing at all": { appliedTo: undefined, direction: undefined, action: undefined, targetPort: undefined },
  // Words
  "direction in lower case": { direction: "both" },
  "direction misspelled": { direction: "Ingres" },
  "a direction that does not exist": { direction: "Sideways" },
  "an empty direction": { direction: "" },
  "action in lower case": { action: "mirror" },
  "an action that does not exist": { action: "Drop" },
  // Ports
  "a target port of no kind": target({}),
  "a target port of two kinds": target({ ovsInternal: { name: "tap0" }, vxlan: { remoteIP: "10.0.10.2" } }),
  "a mirror with a return port, as in the guide": {
    ...{ direction: "Both", targetPort: { ovsInternal: { name: "firewall0" } }, returnPort },
  },
  "a redirect without a return port": { action: "Redirect" },
  "a return port of no kind": redirect({ ovsInternal: { name: "firewall0" } }, {}),
  "a return port of two kinds": redirect(
    { ovsInternal: { name: "firewall0" } },
    { ovsInternal: { name: "firewall1" }, gre: { remoteIP: "10.0.10.2" } },
  ),
  "one name for a target and a return port of different kinds": redirect(
    { ovsInternal: { name: "firewall0" } },
    { device: { name: "firewall0" } },
  ),
  "one name for a device and a returning internal port": redirect(
    { device: { name: "firewall0" } },
    { ovsInternal: { name: "firewall0" } },
  ),
  "a redirect to ERSPAN": redirect({ erspan: { remoteIP: "10.0.10.2", version: 1 } }),
  // Names
  "an internal port without a name": target({ ovsInternal: {} }),
  "a device without a name": target({ device: {} }),
  "an empty name": name(""),
  "a name of 16 bytes": name("sixteen-letters-"),
  "a name that begins with a hyphen": name("-tap"),
  "a name that begins with a dot": name("."),
  "a name with a slash": name("a/b"),
  "a name with a space": name("tap 0"),
  "a name with a letter that is not ASCII": name("täp0"),
  "a name that ends with a line feed": name("tap0\n"),
  "a device's name": target({ device: { name: "eth0:1" } }),
  "a return port's name": redirect(
    { ovsInternal: { name: "firewall0" } },
    { ovsInternal: { name: "firewall-return-1" } },
  ),
  // Addresses
  "a tunnel without a remoteIP": target({ geneve: {} }),
  "GRE without a remoteIP": target({ gre: { key: 1 } }),
  "ERSPAN without a remoteIP": target({ erspan: { version: 1 } }),
  "an empty remoteIP": remote(""),
  "a host name": remote("collector.example.org"),
  "an address with a port": remote("10.0.10.2:4789"),
  "an IPv6 address with a port": remote("[fd00::2]:4789"),
  "an IPv6 address in brackets": remote("[fd00::2]"),
  "an address with a prefix length": remote("10.0.10.2/24"),
  "an address with spaces": remote(" 10.0.10.2"),
  "two addresses": remote("10.0.10.2,10.0.10.3"),
  "an address with a number too high": remote("10.0.10.256"),
  "an address with leading zeros": remote("10.0.010.2"),
  "three numbers": remote("10.0.10"),
  "an IPv6 address with a zone": remote("fd00::2%eth0"),
  "an IPv4 address in IPv6 form": remote("::ffff:10.0.10.2"),
  "the unspecified IPv4 address": remote("0.0.0.0"),
  "the unspecified IPv6 address": remote("::"),
  "IPv4 loopback": remote("127.0.0.1"),
  "another IPv4 loopback": remote("127.255.255.254"),
  "IPv6 loopback": remote("::1"),
  "IPv4 link-local": remote("169.254.1.1"),
  "IPv6 link-local": remote("fe80::1"),
  "IPv4 multicast": remote("239.1.2.3"),
  "IPv6 multicast": remote("ff02::1"),
  broadcast: remote("255.255.255.255"),
  "65 characters": remote("1".repeat(65)),
  "Geneve's remoteIP": target({ geneve: { remoteIP: "127.0.0.1" } }),
  "GRE's remoteIP": target({ gre: { remoteIP: "127.0.0.1" } }),
  "ERSPAN's remoteIP": target({ erspan: { remoteIP: "127.0.0.1", version: 2 } }),
  "a return port's remoteIP": redirect({ ovsInternal: { name: "firewall0" } }, { vxlan: { remoteIP: "127.0.0.1" } }),
  "names and numbers of every return port": redirect(
    { ovsInternal: { name: "firewall0" } },
    {
      ovsInternal: { name: "-" },
      device: { name: "a:b" },
      geneve: { remoteIP: "::", destinationPort: 0 },
      vxlan: { remoteIP: "10.0.10.2", destinationPort: 65536, vni: -1 },
    },
  ),
  "a returning GRE tunnel": redirect({ ovsInternal: { name: "firewall0" } }, { gre: { remoteIP: "::", key: -1 } }),
  // Numbers
  "UDP port 0": vxlan({ destinationPort: 0 }),
  "UDP port 65536": vxlan({ destinationPort: 65536 }),
  "Geneve's UDP port": target({ geneve: { remoteIP: "10.0.10.2", destinationPort: -1 } }),
  "a negative VNI": vxlan({ vni: -1 }),
  "a VNI of 25 bits": vxlan({ vni: 16777216 }),
  "Geneve's VNI": target({ geneve: { remoteIP: "10.0.10.2", vni: 16777216 } }),
  "a return port's VNI": redirect({ ovsInternal: { name: "f" } }, { geneve: { remoteIP: "10.0.10.2", vni: -1 } }),
  "a negative GRE key": gre({ key: -1 }),
  "a GRE key of 33 bits": gre({ key: 4294967296 }),
  "a GRE key beyond all integers": gre({ key: 9007199254740991 }),
  "a session of 11 bits": erspan({ version: 1, sessionID: 1024 }),
  "a negative session": erspan({ version: 1, sessionID: -1 }),
  "an index of 21 bits": erspan({ version: 1, index: 1048576 }),
  "a negative index": erspan({ version: 1, index: -1 }),
  "a third direction": erspan({ version: 2, dir: 2 }),
  "a negative direction": erspan({ version: 2, dir: -1 }),
  "a hardware ID of 7 bits": erspan({ version: 2, hardwareID: 64 }),
  "a negative hardware ID": erspan({ version: 2, hardwareID: -1 }),
  // ERSPAN versions
  "ERSPAN without a version": erspan({}),
  "ERSPAN version 3": erspan({ version: 3 }),
  "an index in ERSPAN version 2": erspan({ version: 2, index: 0 }),
  "a direction in ERSPAN version 1": erspan({ version: 1, dir: 0 }),
  "a hardware ID in ERSPAN version 1": erspan({ version: 1, hardwareID: 5 }),
  "both in ERSPAN version 1": erspan({ version: 1, dir: 1, hardwareID: 5 }),
  // Selectors
  "a label key with a space": labels({ "my app": "web" }),
  "an empty label key": labels({ "": "web" }),
  "a label key of 64 bytes": labels({ ["k".repeat(64)]: "x" }),
  "a label key with an upper-case prefix": labels({ "Example.org/app": "web" }),
  "a label key with an empty prefix": labels({ "/app": "web" }),
  "a label key with two slashes": labels({ "a/b/c": "web" }),
  "a label key with a prefix of 254 bytes": labels({ [`${"a".repeat(254)}/k`]: "x" }),
  "a label value with a space": labels({ app: "web app" }),
  "a label value that ends with a hyphen": labels({ app: "web-" }),
  "a label value of 64 bytes": labels({ app: "x".repeat(64) }),
  "65 labels": labels(many(65)),
  "an operator in lower case": expression({ key: "team", operator: "in", values: ["red"] }),
  "a shell's operator": expression({ key: "team", operator: "=", values: ["red"] }),
  "no operator": expression({ key: "team", values: ["red"] }),
  "no key": expression({ operator: "Exists" }),
  "an empty key": expression({ key: "", operator: "Exists" }),
  "a key with a space": expression({ key: "my team", operator: "Exists" }),
  "a key of 318 bytes": expression({ key: `${"a".repeat(253)}/${"k".repeat(64)}`, operator: "Exists" }),
  "In without values": expression({ key: "team", operator: "In" }),
  "In with an empty list": expression({ key: "team", operator: "In", values: [] }),
  "NotIn without values": expression({ key: "team", operator: "NotIn" }),
  "Exists with values": expression({ key: "team", operator: "Exists", values: ["red"] }),
  "DoesNotExist with values": expression({ key: "team", operator: "DoesNotExist", values: ["red"] }),
  "a value that is no label value": expression({ key: "team", operator: "In", values: ["red", "_blue"] }),
  "65 values": expression({ key: "team", operator: "In", values: Object.keys(many(65)) }),
  // Several at once
  "mistakes everywhere": {
    appliedTo: { podSelector: { matchLabels: { app: "-" } } },
    direction: "egress",
    action: "Redirect",
    targetPort: { erspan: { remoteIP: "10.0.10.2/24", version: 2, index: 5 } },
  },
});

/**
 * Wrong types: the schema refuses them in its own words, so that only the path is compared; and what a user writes who has
 * mistaken the field for another.
 */
export const WRONG_TYPES: readonly Case[] = named({
  "appliedTo as a list": { appliedTo: [] },
  "a selector as a string": { appliedTo: { podSelector: "app=web" } },
  "labels as a list": labels(["app=web"]),
  "a label value as a number": labels({ version: 2 }),
  "a label value as a boolean": labels({ canary: true }),
  "expressions as an object": { appliedTo: { podSelector: { matchExpressions: {} } } },
  "values as a string": expression({ key: "team", operator: "In", values: "red" }),
  "direction as a list": { direction: ["Ingress", "Egress"] },
  "action as a boolean": { action: true },
  "targetPort as a name": target("tap0"),
  "a kind as a name": target({ device: "eth1" }),
  "a name as a number": name(0),
  "remoteIP as a number": remote(10),
  "remoteIP as a list": remote(["10.0.10.2"]),
  "a VNI as a string": vxlan({ vni: "7" }),
  "half a port": vxlan({ destinationPort: 0.5 }),
  "a version as a string": erspan({ version: "2" }),
  "half a version": erspan({ version: 1.5 }),
  "returnPort as a list": { returnPort: [] },
});
