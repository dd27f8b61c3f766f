import assert from "node:assert/strict";
import { format, formatWarning, Overlay } from "../../../capabilities/admission/rules";
import { BASE } from "./cases";

const FLANNEL = { "flannel.alpha.coreos.com/backend-type": "vxlan" };
const mirror = (targetPort: object): object => ({ ...BASE, targetPort });
const redirect = (returnPort: object): object => ({
  ...{ ...BASE, action: "Redirect", targetPort: { ovsInternal: { name: "a" } }, returnPort },
});
/** Two nodes of a cluster. */
function cluster(annotations: Record<string, string> = {}): Overlay {
  const overlay = new Overlay();
  overlay.put("node-1", { addresses: ["10.0.0.1", "fd00:0::1", "node-1.example.org"], annotations });
  overlay.put("node-2", { addresses: ["10.0.0.2"], annotations: {} });
  return overlay;
}
const said = (overlay: Overlay, spec: object): string[] => [
  ...overlay.conflicts(spec).map(format),
  ...overlay.doubts(spec).map(formatWarning),
];

describe("a tunnel and the cluster's own network", () => {
  it("are strangers where the far end is no node and the port is no overlay's", () => {
    for (const kind of ["vxlan", "geneve", "gre"])
      assert.deepEqual(said(cluster(), mirror({ [kind]: { remoteIP: "10.0.10.2" } })), []);
    assert.deepEqual(said(cluster(FLANNEL), mirror({ vxlan: { remoteIP: "10.0.10.2" } })), []);
    assert.deepEqual(said(cluster(FLANNEL), mirror({ gre: { remoteIP: "10.0.0.1" } })), []);
  });

  it("are refused together on one UDP port, towards a node", () => {
    const spec = mirror({ vxlan: { remoteIP: "10.0.0.2", destinationPort: 8472 } });
    assert.deepEqual(cluster(FLANNEL).conflicts(spec).map(format), [
      "spec.targetPort.vxlan.destinationPort: Forbidden: UDP port 8472 is that of flannel, the cluster's own network, and 10.0.0.2 is the address of node node-2: the tunnel would take the packets of that network (choose another destinationPort, also at the far end)",
    ]);
  });

  it("are recognised by the signs of each network, on the port that is used where none is written", () => {
    const signs: [annotation: string, kind: string][] = [
      ["projectcalico.org/IPv4VXLANTunnelAddr", "vxlan"],
      ["k8s.ovn.org/node-chassis-id", "geneve"],
      ["ovn.kubernetes.io/chassis", "geneve"],
    ];
    for (const [annotation, kind] of signs) {
      const overlay = cluster({ [annotation]: "x" });
      assert.equal(overlay.conflicts(redirect({ [kind]: { remoteIP: "FD00::0001" } })).length, 1, annotation);
      assert.equal(overlay.conflicts(redirect({ [kind]: { remoteIP: "10.0.0.2", destinationPort: 5 } })).length, 0);
    }
    const hostGateway = cluster({ "flannel.alpha.coreos.com/backend-type": "host-gw" });
    assert.deepEqual(said(hostGateway, mirror({ vxlan: { remoteIP: "10.0.0.2", destinationPort: 8472 } })).length, 1);
  });

  it("are warned of where only the node knows: VXLAN to elsewhere on the overlay's port", () => {
    const spec = mirror({ vxlan: { remoteIP: "10.0.10.2", destinationPort: 8472 } });
    assert.deepEqual(said(cluster(FLANNEL), spec), [
      "spec.targetPort.vxlan.destinationPort 8472 is that of flannel, the cluster's own network: where Open vSwitch runs in userspace, the tunnel takes the packets of that network; choose another destinationPort",
    ]);
    assert.deepEqual(said(cluster(FLANNEL), mirror({ geneve: { remoteIP: "10.0.10.2", destinationPort: 8472 } })), []);
  });

  it("are warned of where the network leaves no sign: a usual port, towards a node", () => {
    assert.deepEqual(said(cluster(), redirect({ geneve: { remoteIP: "10.0.0.1" } })), [
      "spec.returnPort.geneve.destinationPort 6081 is one that cluster networks use, and 10.0.0.1 is the address of node node-1: if this cluster's network does, the tunnel takes its packets; choose another destinationPort",
    ]);
    assert.deepEqual(said(cluster(), mirror({ geneve: { remoteIP: "10.0.0.1", destinationPort: 6082 } })), []);
  });

  it("are forgotten with the last Node that has shown them, and an address with its Node", () => {
    const overlay = cluster(FLANNEL);
    const spec = mirror({ vxlan: { remoteIP: "10.0.0.2", destinationPort: 8472 } });
    overlay.put("node-2", { addresses: ["10.0.0.3"], annotations: FLANNEL });
    assert.equal(overlay.conflicts(spec).length, 0);
    overlay.remove("node-1");
    assert.equal(overlay.doubts(spec).length, 1);
    overlay.put("node-2", { addresses: ["10.0.0.3"], annotations: {} });
    assert.deepEqual(said(overlay, spec), []);
    overlay.remove("nobody");
  });

  it("keep an address that another Node has taken over", () => {
    const overlay = cluster();
    overlay.put("node-3", { addresses: ["10.0.0.2"], annotations: {} });
    overlay.remove("node-2");
    assert.match(said(overlay, mirror({ vxlan: { remoteIP: "10.0.0.2" } })).join(), /address of node node-3/);
  });

  it("say nothing about a spec that is wrong anyway", () => {
    for (const targetPort of [
      5,
      { vxlan: 5 },
      { vxlan: { remoteIP: "x" } },
      { vxlan: { remoteIP: "10.0.0.1", destinationPort: "x" } },
    ])
      assert.deepEqual(said(cluster(FLANNEL), mirror(targetPort as object)), []);
  });
});
