/** Room for a tunnel's headers: how many bytes each kind adds, and when somebody has to know. */
import assert from "node:assert/strict";
import type { PlanPort } from "../../../capabilities/api";
import { headersOf, tooLong } from "../../../packages/node-programmer/src/ports/mtu";
import { portSpec } from "../../../packages/node-programmer/src/ports/spec";

const v4 = "10.0.10.2";
const v6 = "fd31::2";
const CASES: [what: string, port: PlanPort, bytes: number][] = [
  ["vxlan", { vxlan: { remoteIP: v4, destinationPort: 4789, vni: 7 } }, 50],
  ["geneve over IPv6", { geneve: { remoteIP: v6, destinationPort: 6081, vni: 0 } }, 70],
  ["gre", { gre: { remoteIP: v4, key: 0 } }, 38],
  ["gre with a key", { gre: { remoteIP: v4, key: 1 } }, 42],
  ["erspan type II", { erspan: { remoteIP: v4, sessionID: 1, version: 1, index: 0 } }, 50],
  ["erspan type III over IPv6", { erspan: { remoteIP: v6, sessionID: 1, version: 2, dir: 0, hardwareID: 0 } }, 74],
];

describe("the headers of a tunnel", () => {
  for (const [what, port, bytes] of CASES)
    it(`are ${bytes} bytes for ${what}`, () => assert.equal(headersOf(portSpec(port)), bytes));

  it("are worth a word only if the path has no room for them", () => {
    const spec = portSpec(CASES[0]![1]);
    assert.equal(tooLong(spec, 1450, { device: "br-phy", mtu: 1500 }), undefined);
    assert.match(
      tooLong(spec, 1451, { device: "br-phy", mtu: 1500 }) ?? "",
      /^Packets of Pods longer than 1450 bytes are lost on the way to 10\.0\.10\.2: br-phy takes 1500 bytes/,
    );
  });
});
