/** Ports of a plan as rows of Open vSwitch, and which of them are refused. */
import assert from "node:assert/strict";
import { REASONS } from "../../../capabilities/api";
import type { PlanPort } from "../../../capabilities/api";
import { desiredPorts, patchEnds, portSpec, unwantedPorts } from "../../../packages/node-programmer/src/ports";
import type { KernelTunnel } from "../../../packages/node-programmer/src/ports/host";
import { SAVED_KEY, judge, judgeDevice, judgeTunnel } from "../../../packages/node-programmer/src/ports/judge";
import { parseNeighbours, parseRoute } from "../../../packages/node-programmer/src/ports/neighbours";
import { ISOLATED, OURS, ovsView, podPort } from "./views";

const erspan2 = { remoteIP: "10.0.0.2", sessionID: 802, version: 2, dir: 1, hardwareID: 42 };

describe("a plan's port in Open vSwitch", () => {
  const cases: [string, PlanPort, string, Record<string, string>][] = [
    ["an internal port has no options", { ovsInternal: { name: "tap0" } }, "internal", {}],
    ["a device has no type", { device: { name: "eth9" } }, "", {}],
    [
      "VXLAN has VNI and UDP port",
      { vxlan: { remoteIP: "10.0.10.2", destinationPort: 4789, vni: 5001 } },
      "vxlan",
      { remote_ip: "10.0.10.2", dst_port: "4789", key: "5001" },
    ],
    [
      "Geneve with VNI 0 has no key",
      { geneve: { remoteIP: "fd31::2", destinationPort: 6082, vni: 0 } },
      "geneve",
      { remote_ip: "fd31::2", dst_port: "6082" },
    ],
    [
      "GRE keys use all 32 bits",
      { gre: { remoteIP: "10.0.0.2", key: 4294967295 } },
      "gre",
      { remote_ip: "10.0.0.2", key: "4294967295" },
    ],
    [
      "GRE without a key has no key field on the wire",
      { gre: { remoteIP: "10.0.0.2", key: 0 } },
      "gre",
      { remote_ip: "10.0.0.2" },
    ],
    [
      "GRE over IPv6 is a type of its own",
      { gre: { remoteIP: "fd31::2", key: 7 } },
      "ip6gre",
      { remote_ip: "fd31::2", key: "7" },
    ],
    [
      "ERSPAN's index is hexadecimal",
      { erspan: { remoteIP: "10.0.0.2", sessionID: 801, version: 1, index: 16 } },
      "erspan",
      { remote_ip: "10.0.0.2", key: "801", erspan_ver: "1", erspan_idx: "0x10" },
    ],
    [
      "ERSPAN's hardware ID is hexadecimal, its direction decimal",
      { erspan: erspan2 },
      "erspan",
      { remote_ip: "10.0.0.2", key: "802", erspan_ver: "2", erspan_dir: "1", erspan_hwid: "0x2a" },
    ],
    [
      "ERSPAN over IPv6 is a type of its own, and session 0 is a session",
      { erspan: { remoteIP: "fd31::2", sessionID: 0, version: 1 } },
      "ip6erspan",
      { remote_ip: "fd31::2", key: "0", erspan_ver: "1", erspan_idx: "0x0" },
    ],
  ];
  for (const [title, port, type, options] of cases)
    it(title, () => {
      const spec = portSpec(port);
      assert.equal(spec.type, type);
      assert.deepEqual(spec.options, options);
      assert.ok(spec.name.length <= 15, spec.name);
    });

  it("keeps the name that the user gave to a local port", () => {
    assert.equal(portSpec({ ovsInternal: { name: "web-tap" } }).name, "web-tap");
  });

  it("has one name for what Open vSwitch takes as one tunnel, another for anything else", () => {
    const name = (port: PlanPort): string => portSpec(port).name;
    const vxlan = { remoteIP: "10.0.10.2", destinationPort: 4789, vni: 1 };
    assert.equal(name({ vxlan }), name({ vxlan: { ...vxlan } }));
    assert.equal(name({ erspan: erspan2 }), name({ erspan: { ...erspan2, hardwareID: 7 } }));
    const all = [
      { vxlan },
      { vxlan: { ...vxlan, vni: 2 } },
      { vxlan: { ...vxlan, destinationPort: 4790 } },
      { vxlan: { ...vxlan, remoteIP: "10.0.10.3" } },
      { geneve: vxlan },
      { gre: { remoteIP: "10.0.10.2", key: 1 } },
      { erspan: { ...erspan2, remoteIP: "10.0.10.2", sessionID: 1 } },
    ].map(name);
    assert.equal(new Set(all).size, all.length);
  });

  it("is one port for all rules with equal parameters; the younger of two that contradict each other is told so", () => {
    const { specs, clashes } = desiredPorts([
      [portSpec({ erspan: erspan2 })],
      [portSpec({ erspan: { ...erspan2 } })],
      [],
      [portSpec({ erspan: { ...erspan2, hardwareID: 1 } })],
      [portSpec({ ovsInternal: { name: "x" } })],
      [portSpec({ ovsInternal: { name: "y" } }), portSpec({ device: { name: "x" } })],
    ]);
    assert.deepEqual([...specs.keys()], [portSpec({ erspan: erspan2 }).name, "x"], "all of a rule's ports or none");
    assert.deepEqual([...clashes.keys()], [3, 5]);
    assert.match(clashes.get(3)!, /sessionID/);
    assert.match(clashes.get(5)!, /port x as ovsInternal; this one wants it as device/);
  });
});

describe("what is done for a port", () => {
  const device = portSpec({ device: { name: "eth9" } });
  const internal = portSpec({ ovsInternal: { name: "tap0" } });
  const vxlan = portSpec({ vxlan: { remoteIP: "10.0.10.2", destinationPort: 4789, vni: 1 } });

  it("is made if nobody has it", () => {
    assert.deepEqual(judge(internal, ovsView({ "br-int": [] })), { do: "create" });
  });

  it("is kept if it is ours, and repaired if somebody changed it", () => {
    const good = {
      name: vxlan.name,
      type: "vxlan",
      options: { ...vxlan.options },
      externalIds: OURS,
      ...ISOLATED,
      ofport: 5,
    };
    const verdict = (sketch: object): string => {
      const found = judge(vxlan, ovsView({ "br-int": [{ ...good, ...sketch }] }));
      return found.do === "keep" ? `keep ${found.repair}` : found.do;
    };
    assert.equal(verdict({}), "keep false");
    assert.equal(verdict({ options: { ...vxlan.options, key: "2" } }), "keep true");
    assert.equal(verdict({ options: { ...vxlan.options, tos: "inherit" } }), "keep true");
    assert.equal(verdict({ trunks: [] }), "keep true");
    assert.equal(verdict({ otherConfig: {} }), "keep true");
    assert.equal(verdict({ type: "geneve" }), "keep true");
  });

  it("is a new attachment if the device behind it has gone", () => {
    const gone = { name: "eth9", externalIds: OURS, ...ISOLATED, ofport: 5, ifindex: 0, linkState: "down" };
    assert.equal(judge(device, ovsView({ "br-int": [gone] })).do, "delete");
  });

  const refused = (verdict: ReturnType<typeof judge>): { reason: string; message: string } => {
    if (verdict.do !== "refuse") assert.fail(`${verdict.do} instead of refuse`);
    return verdict.problem;
  };

  it("is refused for a device that somebody else attached, with the command that allows it", () => {
    const { reason, message } = refused(judge(device, ovsView({ "br-int": [{ name: "eth9" }] })));
    assert.equal(reason, REASONS.deviceNotOurs);
    assert.match(message, /ovs-vsctl set Port eth9 external_ids:ovs-traffic-control\.dev\/adopt=true/);
  });

  it("is adopted if the administrator allows it", () => {
    const allowed = { name: "eth9", externalIds: { "ovs-traffic-control.dev/adopt": "true" } };
    const verdict = judge(device, ovsView({ "br-int": [allowed] }));
    assert.deepEqual([verdict.do, verdict.do === "adopt" && verdict.prepared], ["adopt", false]);
    const prepared = judge(device, ovsView({ "br-int": [{ ...allowed, ...ISOLATED }] }));
    assert.deepEqual([prepared.do, prepared.do === "adopt" && prepared.prepared], ["adopt", true]);
  });

  it("is refused for a Pod's port even with the adopt mark, and for foreign internal ports and tunnels", () => {
    const pod = podPort("eth9", "uid-1");
    pod.externalIds = { ...pod.externalIds, "ovs-traffic-control.dev/adopt": "true" };
    assert.match(refused(judge(device, ovsView({ "br-int": [pod] }))).message, /port of Pod uid-1/);
    assert.match(
      refused(judge(internal, ovsView({ "br-int": [{ name: "tap0", type: "internal" }] }))).message,
      /another name/,
    );
    assert.equal(refused(judge(vxlan, ovsView({ "br-int": [{ name: vxlan.name }] }))).reason, REASONS.deviceNotOurs);
  });
});

describe("a device of the host", () => {
  const link = { name: "eth9", master: null, addresses: [], loopback: false };

  it("may be attached if it is nobody's", () => {
    assert.equal(judgeDevice("eth9", link), null);
  });

  it("is refused if it carries an address, is enslaved, or is the loopback; missing if there is none", () => {
    const reason = (found: Parameters<typeof judgeDevice>[1]): string | undefined => judgeDevice("eth9", found)?.reason;
    assert.equal(reason({ ...link, addresses: ["172.31.0.1"] }), REASONS.deviceNotOurs);
    assert.equal(reason({ ...link, master: "docker0" }), REASONS.deviceNotOurs);
    assert.equal(reason({ ...link, loopback: true }), REASONS.deviceNotOurs);
    assert.equal(reason(null), REASONS.targetPortMissing);
  });
});

describe("a tunnel beside the cluster's overlay", () => {
  const geneve = portSpec({ geneve: { remoteIP: "10.0.0.2", destinationPort: 6081, vni: 1 } });
  const foreign = (type: string, options: Record<string, string>): ReturnType<typeof ovsView> =>
    ovsView({ "br-int": [{ name: "overlay", type, options }] });
  const verdict = (view: ReturnType<typeof ovsView>, spec = geneve, kernel: KernelTunnel[] = []): string | null =>
    judgeTunnel(spec, view, view.bridges[0]!, kernel)?.reason ?? null;

  it("is refused if it would take the overlay's packets", () => {
    assert.equal(verdict(foreign("geneve", { remote_ip: "flow", key: "flow" })), REASONS.overlayPortInUse);
    assert.equal(verdict(foreign("geneve", { remote_ip: "10.0.0.2", key: "flow" })), REASONS.overlayPortInUse);
    assert.equal(verdict(foreign("geneve", { remote_ip: "10.0.0.2", dst_port: "6081" })), REASONS.overlayPortInUse);
  });

  it("is allowed to another address, on another UDP port, or of another kind", () => {
    assert.equal(verdict(foreign("geneve", { remote_ip: "10.0.0.3", key: "flow" })), null);
    assert.equal(verdict(foreign("geneve", { remote_ip: "flow", dst_port: "6082" })), null);
    assert.equal(verdict(foreign("vxlan", { remote_ip: "flow" })), null);
  });

  it("is allowed beside our own tunnels", () => {
    const own = { name: "tc-gnv-1", type: "geneve", options: { remote_ip: "10.0.0.2", key: "2" }, externalIds: OURS };
    assert.equal(verdict(ovsView({ "br-int": [own] })), null);
  });

  it("is refused on the UDP port of a kernel device, on the userspace datapath only", () => {
    const vxlan = portSpec({ vxlan: { remoteIP: "10.0.0.2", destinationPort: 8472, vni: 1 } });
    const flannel: KernelTunnel[] = [{ name: "flannel.1", kind: "vxlan", udpPort: 8472 }];
    assert.equal(verdict(ovsView({ "br-int": [] }), vxlan, flannel), REASONS.overlayPortInUse);
    assert.equal(verdict(ovsView({ "br-int": [] }, { datapath: "system" }), vxlan, flannel), null);
  });
});

describe("ports that nobody wants any more", () => {
  it("are ours and the adopted ones, nothing else", () => {
    const view = ovsView({
      "br-int": [
        { name: "tap0", externalIds: OURS },
        { name: "tap1", externalIds: OURS },
        { name: "eth9", externalIds: { [SAVED_KEY]: "{}", "ovs-traffic-control.dev/adopt": "true" } },
        { name: "eth8", externalIds: { "ovs-traffic-control.dev/adopt": "true" } },
        podPort("v1", "uid-1"),
      ],
    });
    assert.deepEqual(
      unwantedPorts(view, new Set(["tap1"])).map(({ name }) => name),
      ["tap0", "eth9"],
    );
  });
});

describe("a patch pair", () => {
  it("belongs to one target and two bridges, and its ends know each other", () => {
    const ends = patchEnds("br1", "br2", "tap0");
    assert.equal(ends.out.options["peer"], ends.in.name);
    assert.equal(ends.in.options["peer"], ends.out.name);
    const names = [ends, patchEnds("br2", "br1", "tap0"), patchEnds("br1", "br2", "tap1")].flatMap((each) => [
      each.in.name,
      each.out.name,
    ]);
    assert.equal(new Set(names).size, 6);
    assert.ok(names.every((name) => name.length <= 15));
  });
});

describe("what Open vSwitch says about ways", () => {
  it("is read from ovs/route/lookup, on the link and behind a gateway", () => {
    assert.deepEqual(parseRoute("src 172.31.0.1\ngateway ::\ndev br-phy\n"), { device: "br-phy", gateway: null });
    assert.deepEqual(parseRoute("src 172.31.0.1\ngateway 172.31.0.254\ndev br-phy\n"), {
      device: "br-phy",
      gateway: "172.31.0.254",
    });
    assert.deepEqual(
      parseRoute("src ::ffff:172.31.0.1\ngateway ::ffff:172.31.0.254\ndev br-phy\n")?.gateway,
      "172.31.0.254",
    );
    assert.equal(parseRoute("Not found\n"), null);
  });

  it("is read from tnl/neigh/show", () => {
    const text = `IP                                            MAC                 Bridge
==========================================================================
172.31.0.2                                    f2:2e:fe:aa:6e:52   br-phy
fd31::2                                       F2:2E:FE:AA:6E:53   br-phy
`;
    assert.deepEqual(
      [...parseNeighbours(text)],
      [
        ["172.31.0.2", "f2:2e:fe:aa:6e:52"],
        ["fd31::2", "f2:2e:fe:aa:6e:53"],
      ],
    );
  });
});
