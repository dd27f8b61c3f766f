/**
 * How each CNI marks the ports of Pods: rows as its own source or documentation has them, and whose port that is while a Pod
 * is made anew or its sandbox restarted.
 */
import assert from "node:assert/strict";
import { REASONS } from "../../../capabilities/api";
import type { PlanPod } from "../../../capabilities/api";
import { attachmentOf, findPods, nameOf } from "../../../packages/node-programmer/src/pods";
import { OURS, ovsView, podPort, portView } from "./views";
import type { PortSketch } from "./views";

const SANDBOX = "12939f8d3d906f0675c2d7a8733a4c0fe8ec128ca5506f329ffb91987e544369";

/** pkg/daemon/ovs_linux.go, configureNic, with PodNameToPortName of pkg/ovs/util.go. */
const kubeOvn = (more: Partial<PortSketch> = {}, ids: Record<string, string> = {}): PortSketch => ({
  name: "12939f8d3d90_h",
  ofport: 5,
  interfaceIds: {
    "iface-id": "web-0.default",
    vendor: "kube-ovn",
    pod_name: "web-0",
    pod_namespace: "default",
    ip: "10.16.0.5,fd00:10:16::5",
    pod_netns: "/var/run/netns/cni-1",
    "ovn-installed": "true",
    ...ids,
  },
  ...more,
});

/** docs/design/pod-creation-workflow.md; without pod-if-name go-controller/pkg/cni/helper_linux.go, ConfigureOVS, before 2026. */
const ovnKubernetes = (more: Partial<PortSketch> = {}, ids: Record<string, string> = {}): PortSketch => ({
  name: "12939f8d3d906f0",
  ofport: 5,
  otherConfig: { transient: "true" },
  interfaceIds: {
    attached_mac: "0a:58:0a:f4:00:03",
    "iface-id": "default_workflow-test",
    "iface-id-ver": "69611cd1-cfcd-414f-afea-5669dc947fb1",
    ip_addresses: "10.244.0.3/24",
    "ovn-installed": "true",
    "ovn-installed-ts": "1784626958272",
    sandbox: SANDBOX,
    ...ids,
  },
  ...more,
});

/** pkg/agent/cniserver/pod_configuration.go, BuildOVSPortExternalIDs; net-ns since v2. */
const antrea = (more: Partial<PortSketch> = {}, ids: Record<string, string> = {}): PortSketch => ({
  name: "web-7975-274540",
  ofport: 5,
  externalIds: {
    "antrea-type": "container",
    "attached-mac": "fa:b7:53:74:21:a6",
    "container-id": SANDBOX,
    "ip-address": "10.10.0.24,fd00::24",
    "pod-name": "web-0",
    "pod-namespace": "default",
    ...ids,
  },
  ...more,
});

const seen = (sketch: PortSketch): unknown => {
  const found = attachmentOf(portView("br-int", sketch));
  return found && { pod: nameOf(found.pod), iface: found.iface, netns: found.netns, macs: found.macs };
};

describe("the dialects", () => {
  const cases: [string, PortSketch, [pod: string, iface: string, netns: string | null, macs: string[]] | null][] = [
    ["ovs-cni", podPort("veth1", "u-1", { iface: "net1" }), ["u-1", "net1", "/var/run/netns/u-1", []]],
    ["Kube-OVN", kubeOvn(), ["default/web-0", "eth0", "/var/run/netns/cni-1", []]],
    [
      "Kube-OVN, an attachment to another network",
      kubeOvn({ name: "12939f8d_net1_h" }, { "iface-id": "web-0.default.attachnet.default.ovn" }),
      ["default/web-0", "net1", "/var/run/netns/cni-1", []],
    ],
    [
      "Kube-OVN, a virtual function of another network, whose device does not name the interface",
      kubeOvn({ name: "pf0vf3" }, { "iface-id": "web-0.default.attachnet.default.ovn" }),
      ["default/web-0", "attachnet.default.ovn", "/var/run/netns/cni-1", []],
    ],
    [
      "Kube-OVN, an internal port",
      kubeOvn({ name: "12939f8d3d90_c", type: "internal" }),
      ["default/web-0", "eth0", "/var/run/netns/cni-1", []],
    ],
    ["OVN-Kubernetes", ovnKubernetes(), ["69611cd1-cfcd-414f-afea-5669dc947fb1", "eth0", null, ["0a:58:0a:f4:00:03"]]],
    [
      "OVN-Kubernetes, another network",
      ovnKubernetes({}, { "iface-id": "default.blue_default_workflow-test", "k8s.ovn.org/nad": "default/blue" }),
      ["69611cd1-cfcd-414f-afea-5669dc947fb1", "default/blue", null, ["0a:58:0a:f4:00:03"]],
    ],
    [
      "OVN-Kubernetes, another network in newer versions",
      ovnKubernetes({}, { "k8s.ovn.org/nad": "default/blue", "pod-if-name": "net1" }),
      ["69611cd1-cfcd-414f-afea-5669dc947fb1", "net1", null, ["0a:58:0a:f4:00:03"]],
    ],
    ["Antrea", antrea(), ["default/web-0", "eth0", null, ["fa:b7:53:74:21:a6"]]],
    [
      "Antrea, a secondary interface of a newer version",
      antrea({}, { "if-dev": "eth1", "net-ns": "/var/run/netns/cni-1" }),
      ["default/web-0", "eth1", "/var/run/netns/cni-1", ["fa:b7:53:74:21:a6"]],
    ],
    ["Antrea's gateway", { name: "antrea-gw0", externalIds: { "antrea-type": "gateway" } }, null],
    ["a port of OVN for something else", { name: "ovn-k8s-mp0", interfaceIds: { "iface-id": "k8s-node-1" } }, null],
    [
      "a virtual machine of OpenStack",
      { name: "tap1", interfaceIds: { "iface-id": "a173d5ef", "attached-mac": "fa:16:3e:2f:90:33" } },
      null,
    ],
    ["a port of ours that pretends", { ...podPort("tap0", "u-1"), externalIds: { contPodUid: "u-1", ...OURS } }, null],
  ];
  for (const [title, sketch, expected] of cases)
    it(title, () => {
      if (expected === null) {
        assert.equal(seen(sketch), null);
        return;
      }
      const [pod, iface, netns, macs] = expected;
      assert.deepEqual(seen(sketch), { pod, iface, netns, macs });
    });

  for (const [title, make] of [
    ["Kube-OVN", kubeOvn],
    ["OVN-Kubernetes", ovnKubernetes],
  ] as const)
    it(`${title}: a former sandbox, whose iface-id the present one has taken, has no port`, () => {
      const sketch = make();
      assert.ok(sketch.interfaceIds);
      delete sketch.interfaceIds["iface-id"];
      assert.equal(seen(sketch), null);
    });
});

const CREATED = 1_800_000_000;
const pod: PlanPod = { namespace: "default", name: "web-0", uid: "u-2", created: CREATED, class: 0 };
const ages =
  (milliseconds: Record<string, number>) =>
  (netns: string): number | null =>
    milliseconds[netns] ?? null;
const ports = (of: PlanPod, sketches: PortSketch[], netns: Record<string, number> = {}): string[] =>
  findPods([of], ovsView({ "br-int": sketches }), ages(netns))[0]!.ports.map(({ port }) => port.name);
const [OLD, NEW] = ["/var/run/netns/old", "/var/run/netns/new"];
const before = (seconds: number): number => (CREATED - seconds) * 1000;

describe("the port of a Pod whose CNI marks it by name", () => {
  const old = kubeOvn({ name: "aaaaaaaaaaaa_h", ofport: 3 }, { pod_netns: OLD });
  const young = kubeOvn({ name: "bbbbbbbbbbbb_h", ofport: 4 }, { pod_netns: NEW });

  it("is one whose network namespace is younger than the Pod: nothing has to be waited for", () => {
    assert.deepEqual(ports(pod, [young], { [NEW]: before(-0.3) }), [young.name]);
  });

  it("is not that of a former Pod of this name, whose namespace is older, or gone", () => {
    assert.deepEqual(ports(pod, [old], { [OLD]: before(60) }), []);
    assert.deepEqual(ports(pod, [old]), []);
    const [found] = findPods([pod], ovsView({ "br-int": [old] }), ages({ [OLD]: before(60) }));
    assert.equal(found?.problem?.reason, REASONS.noOVSPort);
  });

  it("is the younger one's while both are there, whichever row comes first, although a StatefulSet keeps its address", () => {
    const known = { ...pod, addresses: ["10.16.0.5"] };
    for (const rows of [
      [old, young],
      [young, old],
    ])
      assert.deepEqual(ports(known, rows, { [OLD]: before(60), [NEW]: before(-1) }), [young.name]);
  });

  it("is believed with the API's addresses where the node's clock is behind, in any spelling of them", () => {
    const netns = { [NEW]: before(5) };
    assert.deepEqual(ports(pod, [young], netns), []);
    assert.deepEqual(ports({ ...pod, addresses: ["10.16.0.6"] }, [young], netns), []);
    assert.deepEqual(ports({ ...pod, addresses: ["fd00:10:16:0::5"] }, [young], netns), [young.name]);
  });

  it("is known by its addresses alone where the CNI names no namespace", () => {
    assert.deepEqual(ports(pod, [antrea()]), []);
    assert.deepEqual(ports({ ...pod, addresses: ["10.10.0.24"] }, [antrea()]), ["web-7975-274540"]);
  });

  it("is not that of a Pod of another Namespace", () => {
    assert.deepEqual(ports({ ...pod, namespace: "other" }, [young], { [NEW]: before(-1) }), []);
  });

  it("is a virtual machine's, which Kube-OVN names in place of its Pod", () => {
    const machine = { ...pod, name: "virt-launcher-web-0-x7k2p" };
    assert.deepEqual(ports({ ...machine, addresses: ["10.16.0.5"] }, [young], { [NEW]: before(-1) }), [young.name]);
    assert.deepEqual(ports({ ...machine, addresses: ["10.16.0.6"] }, [young], { [NEW]: before(-1) }), []);
  });
});

describe("the port of a static Pod", () => {
  const staticUID = "3d0a1c2b4e5f60718293a4b5c6d7e8f9";
  it("carries the UID that its node has given it, not that of its mirror in the API", () => {
    const port = podPort("v1", staticUID, { ofport: 3 });
    assert.deepEqual(ports(pod, [port]), []);
    assert.deepEqual(ports({ ...pod, staticUID }, [port]), ["v1"]);
  });
});
