import assert from "node:assert/strict";
import type { PlanPort } from "@ovs-traffic-control/api";
import { capturePod, CopyReader, tcpdump, whereToLook } from "../../../packages/kubectl-trafficcontrol/src/capture";

const vxlan = whereToLook({ vxlan: { remoteIP: "10.0.10.2", destinationPort: 4789, vni: 7 } });

/** What the lines of tcpdump give. */
function packets(where: ReturnType<typeof whereToLook>, text: string, addresses?: string[]): string[] {
  const reader = new CopyReader(where, addresses);
  const found = text.split("\n").map((line) => reader.line(line));
  return [...found, reader.flush()].flatMap((copy) => copy?.packet ?? []);
}

describe("where copies are seen", () => {
  for (const [what, port, command] of [
    ["a named port", { ovsInternal: { name: "tap0" } }, "-i tap0"],
    ["a device", { device: { name: "eth9" } }, "-i eth9"],
    [
      "VXLAN",
      { vxlan: { remoteIP: "fd00::2", destinationPort: 8472, vni: 0 } },
      "-i any -T vxlan udp and dst host fd00::2 and dst port 8472",
    ],
    [
      "Geneve",
      { geneve: { remoteIP: "10.0.10.2", destinationPort: 6081, vni: 0 } },
      "-i any udp and dst host 10.0.10.2 and dst port 6081",
    ],
    ["GRE", { gre: { remoteIP: "10.0.10.2", key: 0 } }, "-i any proto 47 and dst host 10.0.10.2"],
    ["GRE over IPv6", { gre: { remoteIP: "fd00::2", key: 0 } }, "-i any proto 47 and dst host fd00::2"],
  ] as [string, PlanPort, string][])
    it(what, () => {
      const args = tcpdump(whereToLook(port)).filter(
        (arg) => !/^(tcpdump|-n|-l|-p|-Z|root|--immediate-mode)$/.test(arg),
      );
      assert.equal(args.join(" "), command);
    });
});

describe("CopyReader", () => {
  const frame = (vni: number, device = "eth0"): string =>
    `12:00:00.000001 ${device} Out IP 172.31.0.11.4000 > 10.0.10.2.4789: VXLAN, flags [I] (0x08), vni ${vni}\nIP 10.244.1.5.40000 > 10.244.2.7.80: Flags [S], length 0`;

  it("shows what is in a VXLAN packet, of our VNI only", () => {
    assert.deepEqual(packets(vxlan, `${frame(7)}\n${frame(8)}`), [
      "IP 10.244.1.5.40000 > 10.244.2.7.80: Flags [S], length 0",
    ]);
  });

  it("counts a packet once that leaves through a bond and its member", () => {
    assert.equal(packets(vxlan, [frame(7, "bond0"), frame(7, "eth0"), frame(7, "bond0")].join("\n")).length, 2);
  });

  it("reads Geneve and GRE, which tcpdump prints on one line", () => {
    const geneve = whereToLook({ geneve: { remoteIP: "10.0.10.2", destinationPort: 6081, vni: 7 } });
    const inner = "IP 10.244.1.5 > 10.244.2.7: ICMP echo request, id 1, seq 0, length 64";
    const line = `12:00:00.000001 eth0 Out IP 172.31.0.11.4000 > 10.0.10.2.6081: Geneve, Flags [none], vni 0x7, proto TEB (0x6558): ${inner}`;
    assert.deepEqual(packets(geneve, line), [inner]);
    const gre = whereToLook({ gre: { remoteIP: "10.0.10.2", key: 5 } });
    const greLine = `12:00:00.000001 eth0 Out IP 172.31.0.11 > 10.0.10.2: GREv0, key=0x5, length 110: ${inner}`;
    assert.deepEqual(packets(gre, greLine), [inner]);
  });

  it("takes an address for itself only, with a port or without, not for the beginning of another", () => {
    const one = (from: string): string => `12:00:00.000001 IP ${from} > 10.244.2.7.80: Flags [S], length 0`;
    const text = ["10.244.1.5.4000", "10.244.1.51.4000", "10.244.1.5"].map(one).join("\n");
    assert.equal(packets({ device: "tap0" }, text, ["10.244.1.5"]).length, 2);
    const v6 =
      "12:00:00.000001 IP6 fd00::5.4000 > fd00::7: ICMP6, echo request\n12:00:00.000002 IP6 fd00::55 > fd00::7: x";
    assert.equal(packets({ device: "tap0" }, v6, ["fd00::5"]).length, 1);
  });
});

describe("the capturing Pod", () => {
  it("has the host's network and raw sockets, and nothing else", () => {
    const pod = capturePod({ name: "n", namespace: "default", node: "node-1", image: "i", where: vxlan }) as {
      spec: {
        hostNetwork: boolean;
        automountServiceAccountToken: boolean;
        activeDeadlineSeconds: number;
        volumes?: unknown;
        containers: { securityContext: Record<string, unknown> }[];
      };
    };
    assert.deepEqual(
      [pod.spec.hostNetwork, pod.spec.automountServiceAccountToken, pod.spec.volumes],
      [true, false, undefined],
    );
    const { capabilities, privileged, readOnlyRootFilesystem } = pod.spec.containers[0]!.securityContext;
    assert.deepEqual([privileged, readOnlyRootFilesystem], [undefined, true]);
    assert.deepEqual(capabilities, { drop: ["ALL"], add: ["NET_RAW", "SETUID", "SETGID"] });
    assert.ok(pod.spec.activeDeadlineSeconds > 0);
  });
});
