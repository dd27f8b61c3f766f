import assert from "node:assert/strict";
import type { PlanPort, TargetPort } from "../../../capabilities/api";
import { canonicalJson, planPort } from "../../../capabilities/planning";

const CASES: [what: string, port: TargetPort, expected: PlanPort][] = [
  ["ovsInternal as it is", { ovsInternal: { name: "tap0" } }, { ovsInternal: { name: "tap0" } }],
  ["device as it is", { device: { name: "eth1" } }, { device: { name: "eth1" } }],
  [
    "geneve with its port and VNI 0",
    { geneve: { remoteIP: "10.0.0.1" } },
    { geneve: { remoteIP: "10.0.0.1", destinationPort: 6081, vni: 0 } },
  ],
  [
    "vxlan with its port and VNI 0",
    { vxlan: { remoteIP: "10.0.0.1" } },
    { vxlan: { remoteIP: "10.0.0.1", destinationPort: 4789, vni: 0 } },
  ],
  [
    "what is given stays",
    { vxlan: { remoteIP: "FD00::0:1", destinationPort: 1, vni: 16_777_215 } },
    { vxlan: { remoteIP: "fd00::1", destinationPort: 1, vni: 16_777_215 } },
  ],
  ["gre with key 0", { gre: { remoteIP: "10.0.0.1" } }, { gre: { remoteIP: "10.0.0.1", key: 0 } }],
  [
    "erspan version 1 with an index and nothing of version 2",
    { erspan: { remoteIP: "10.0.0.1", version: 1, dir: 1, hardwareID: 3 } },
    { erspan: { remoteIP: "10.0.0.1", sessionID: 0, version: 1, index: 0 } },
  ],
  [
    "erspan version 2 with direction and hardware ID and without an index",
    { erspan: { remoteIP: "10.0.0.1", version: 2, sessionID: 1023, index: 5 } },
    { erspan: { remoteIP: "10.0.0.1", sessionID: 1023, version: 2, dir: 0, hardwareID: 0 } },
  ],
];

describe("planPort", () => {
  for (const [what, port, expected] of CASES) it(what, () => assert.deepEqual(planPort(port), expected));
});

describe("canonicalJson", () => {
  it("sorts keys at every depth, keeps the order of lists and leaves out undefined", () => {
    assert.equal(canonicalJson({ b: [{ d: 1, c: undefined }, "x"], a: null }), '{"a":null,"b":[{"d":1},"x"]}');
  });
});
