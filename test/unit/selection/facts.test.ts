import assert from "node:assert/strict";
import { ANNOTATIONS, type TrafficControl } from "../../../capabilities/api";
import { namespaceFacts, podFacts, selectorFacts, type RawPod } from "../../../capabilities/selection";

const NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status";

function raw(fields: Partial<RawPod["metadata"]> = {}, status: RawPod["status"] = {}): RawPod {
  return {
    metadata: { namespace: "default", name: "a", uid: "u", resourceVersion: "1", ...fields },
    spec: { nodeName: "node-1" },
    status,
  };
}

describe("podFacts", () => {
  it("keeps what selection and plans need, in canonical form", () => {
    const facts = podFacts(
      raw({ labels: { app: "web" } }, { phase: "Running", podIPs: [{ ip: "10.0.0.1" }, { ip: "FD00:0::1" }] }),
    );
    assert.deepEqual(facts, {
      namespace: "default",
      name: "a",
      uid: "u",
      labels: { app: "web" },
      node: "node-1",
      hostNetwork: false,
      finished: false,
      addresses: ["10.0.0.1", "fd00::1"],
      interfaces: undefined,
      macs: [],
    });
  });

  it("knows when a Pod was made, and a static one's UID on its node, which nothing else can look like", () => {
    const mirror = "kubernetes.io/config.mirror";
    const staticUID = "3d0a1c2b4e5f60718293a4b5c6d7e8f9";
    const facts = podFacts(raw({ creationTimestamp: "2026-11-25T17:00:00Z", annotations: { [mirror]: staticUID } }));
    assert.equal(facts.created, 1795626000);
    assert.equal(facts.staticUID, staticUID);
    const another = "69611cd1-cfcd-414f-afea-5669dc947fb1";
    assert.equal(podFacts(raw({ annotations: { [mirror]: another } })).staticUID, undefined);
  });

  for (const [phase, finished] of [
    ["Pending", false],
    ["Running", false],
    ["Succeeded", true],
    ["Failed", true],
    ["Unknown", false],
  ] as const) {
    it(`takes a Pod in phase ${phase} for ${finished ? "finished" : "alive"}`, () => {
      assert.equal(podFacts(raw({}, { phase })).finished, finished);
    });
  }

  for (const [annotation, expected] of [
    [undefined, undefined],
    ["eth0", ["eth0"]],
    [" net1 , eth0,net1,", ["eth0", "net1"]],
    [" ", undefined],
    ["much-too-long-for-linux,eth0", ["eth0"]],
  ] as const) {
    it(`reads the interfaces annotation ${JSON.stringify(annotation)}`, () => {
      const annotations: Record<string, string> =
        annotation === undefined ? {} : { [ANNOTATIONS.interfaces]: annotation };
      assert.deepEqual(podFacts(raw({ annotations })).interfaces, expected);
    });
  }

  for (const [what, annotation, expected] of [
    [
      "two networks",
      '[{"mac":"0A:58:0a:00:00:01"},{"mac":"02:00:00:00:00:01"}]',
      ["02:00:00:00:00:01", "0a:58:0a:00:00:01"],
    ],
    ["a network without a MAC address", '[{"name":"x"}]', []],
    ["no JSON", "[{", []],
    ["an object", '{"mac":"02:00:00:00:00:01"}', []],
    ["a MAC address that is none", '[{"mac":"02:00"},{"mac":7},null]', []],
  ] as const) {
    it(`reads MAC addresses from a network status with ${what}`, () => {
      assert.deepEqual(podFacts(raw({ annotations: { [NETWORK_STATUS]: annotation } })).macs, expected);
    });
  }
});

describe("namespaceFacts", () => {
  it("knows whether Redirect is allowed", () => {
    const metadata = { name: "kube-system", uid: "u", resourceVersion: "1" };
    assert.equal(namespaceFacts({ metadata }).allowsRedirect, false);
    const annotations = { [ANNOTATIONS.allowRedirect]: "true" };
    assert.equal(namespaceFacts({ metadata: { ...metadata, annotations } }).allowsRedirect, true);
  });

  for (const [value, honoursOptOut, expected] of [
    [undefined, true, false],
    ["true", true, true],
    ["false", true, false],
    ["yes", true, false],
    ["true", false, false],
  ] as const)
    it(`opt-out ${value ?? "absent"}, ${honoursOptOut ? "" : "not "}honoured: ${expected ? "opts out" : "does not"}`, () => {
      const annotations = value === undefined ? undefined : { [ANNOTATIONS.optOut]: value };
      const metadata = { name: "shop", uid: "u", resourceVersion: "1", annotations };
      assert.equal(namespaceFacts({ metadata }, honoursOptOut).optsOut, expected);
    });
});

describe("selectorFacts", () => {
  it("finds the far ends of target and return port in canonical form", () => {
    const trafficControl: TrafficControl = {
      metadata: { name: "tap" },
      spec: {
        appliedTo: {},
        direction: "Both",
        action: "Redirect",
        targetPort: { vxlan: { remoteIP: "FD00::0:1" } },
        returnPort: { gre: { remoteIP: "::ffff:10.0.0.1" } },
      },
    };
    assert.deepEqual(selectorFacts(trafficControl).collectors, ["fd00::1", "10.0.0.1"]);
  });

  it("finds none at local ports", () => {
    const spec = {
      appliedTo: {},
      direction: "Both",
      action: "Mirror",
      targetPort: { device: { name: "tap0" } },
    } as const;
    assert.deepEqual(selectorFacts({ metadata: { name: "tap" }, spec }).collectors, []);
  });
});
