import assert from "node:assert/strict";
import { format, formatWarning, Peers } from "../../../capabilities/admission/rules";
import { BASE } from "./cases";

const mirror = (targetPort: unknown): object => ({ ...BASE, targetPort });
const redirect = (targetPort: unknown, returnPort: unknown): object => ({
  ...{ ...BASE, action: "Redirect", targetPort, returnPort },
});
const internal = (name: string): object => ({ ovsInternal: { name } });
const device = (name: string): object => ({ device: { name } });
const erspan = (fields: object): object => ({ erspan: { remoteIP: "10.0.10.2", ...fields } });

/** What is said about `spec`, named "new", beside one named "old". */
function between(old: object, spec: object): string[] {
  const peers = new Peers();
  peers.put("old", old);
  return peers.conflicts("new", spec).map(format);
}

describe("two TrafficControls", () => {
  it("share a target port, of any kind", () => {
    for (const port of [internal("a"), device("a"), { vxlan: { remoteIP: "10.0.10.2" } }, erspan({ version: 2 })])
      assert.deepEqual(between(mirror(port), mirror(port)), []);
  });

  it("do not make of one name an internal port here and a device there", () => {
    assert.deepEqual(between(mirror(device("tap0")), mirror(internal("tap0"))), [
      'spec.targetPort.ovsInternal.name: Forbidden: "tap0" is a device in TrafficControl old and cannot be an ovsInternal port as well (make it the same in both, or choose another)',
    ]);
    assert.equal(between(redirect(device("a"), device("b")), mirror(internal("b"))).length, 1);
  });

  it("do not use one port as target here and as return port there, a tunnel however it is written", () => {
    assert.deepEqual(between(redirect(internal("a"), internal("b")), mirror(internal("b"))), [
      'spec.targetPort.ovsInternal.name: Forbidden: "b" is the returnPort of TrafficControl old, and a port is either a targetPort or a returnPort (choose another)',
    ]);
    const [long, short] = [{ geneve: { remoteIP: "fd00:0:0::2", vni: 0 } }, { geneve: { remoteIP: "fd00::2" } }];
    assert.match(
      between(mirror(long), redirect(internal("a"), short))[0]!,
      /^spec\.returnPort\.geneve: Forbidden: the geneve tunnel to fd00::2 port 6081 with VNI 0 is the targetPort of/,
    );
  });

  it("share a one-armed device, which is target and return port for both, and for nobody else", () => {
    const oneArmed = redirect(internal("a"), internal("a"));
    assert.deepEqual(between(oneArmed, oneArmed), []);
    assert.match(between(oneArmed, mirror(internal("a")))[0]!, /"a" is the returnPort of TrafficControl old/);
    assert.match(
      between(mirror(internal("a")), oneArmed).join("\n"),
      /^spec\.returnPort\..* is the targetPort of TrafficControl old/m,
    );
  });

  it("do not send copies and redirected packets through one port", () => {
    const [copies, packets] = [mirror(internal("a")), redirect(internal("a"), internal("b"))];
    assert.deepEqual(between(packets, copies), [
      'spec.targetPort.ovsInternal.name: Forbidden: "a" gets the packets of TrafficControl old, and a port gets either copies or redirected packets, not copies as well (choose another)',
    ]);
    assert.deepEqual(between(copies, packets), [
      'spec.targetPort.ovsInternal.name: Forbidden: "a" gets the copies of TrafficControl old, and a port gets either copies or redirected packets, not packets as well (choose another)',
    ]);
    assert.deepEqual(between(packets, packets), []);
  });

  it("do not send one ERSPAN session with other fields", () => {
    assert.deepEqual(between(mirror(erspan({ version: 2, dir: 1 })), mirror(erspan({ version: 2 }))), [
      "spec.targetPort.erspan: Forbidden: session 0 to 10.0.10.2 is version 2, dir 1, hardwareID 0 in TrafficControl old and cannot be version 2, dir 0, hardwareID 0 as well (make it the same in both, or choose another)",
    ]);
    assert.equal(between(mirror(erspan({ version: 1 })), mirror(erspan({ version: 2 }))).length, 1);
    assert.equal(between(mirror(erspan({ version: 1, index: 5 })), mirror(erspan({ version: 1 }))).length, 1);
  });

  it("send two ERSPAN sessions, or to two collectors, as they like", () => {
    const old = mirror(erspan({ version: 1, sessionID: 1 }));
    assert.deepEqual(between(old, mirror(erspan({ version: 2, sessionID: 2 }))), []);
    assert.deepEqual(between(old, mirror({ erspan: { remoteIP: "10.0.10.3", version: 2, sessionID: 1 } })), []);
    assert.deepEqual(
      between(mirror(erspan({ version: 1 })), mirror(erspan({ version: 1, sessionID: 0, index: 0 }))),
      [],
    );
  });

  it("are not in each other's way when one is the other, was changed, or has gone", () => {
    const peers = new Peers();
    peers.put("x", mirror(device("tap0")));
    assert.deepEqual(peers.conflicts("x", mirror(internal("tap0"))), []);
    peers.put("x", mirror(device("tap1")));
    assert.deepEqual(peers.conflicts("y", mirror(internal("tap0"))), []);
    assert.equal(peers.conflicts("y", mirror(internal("tap1"))).length, 1);
    peers.remove("x");
    peers.remove("x");
    assert.deepEqual(peers.conflicts("y", mirror(internal("tap1"))), []);
  });

  it("that differ in their name only are twins", () => {
    const peers = new Peers();
    peers.put("old", { ...BASE });
    const turned = Object.fromEntries(Object.entries(BASE).reverse());
    assert.deepEqual(peers.twin("new", turned).map(formatWarning), ["spec is the same as that of TrafficControl old"]);
    assert.deepEqual(peers.twin("old", turned), []);
    assert.deepEqual(peers.twin("new", { ...BASE, direction: "Egress" }), []);
  });

  it("are compared as fast beside 5,000 others", () => {
    const peers = new Peers();
    for (let i = 0; i < 5_000; i++)
      peers.put(`tap-${i}`, redirect(internal(`a${i}`), { gre: { remoteIP: "10.0.10.2", key: i } }));
    const started = process.cpuUsage();
    for (let i = 0; i < 1_000; i++) peers.conflicts("new", redirect(internal(`b${i}`), device(`c${i}`)));
    assert.ok(process.cpuUsage(started).user / 1000 < 200, "more than 0.2 ms each");
  });

  it("never make the comparison throw, whatever is in them", () => {
    const peers = new Peers();
    for (const spec of [undefined, null, 5, "x", [], { targetPort: 5 }, { targetPort: { device: null, erspan: [] } }]) {
      peers.put("odd", spec);
      assert.deepEqual(peers.conflicts("new", mirror(internal("a"))), []);
      peers.conflicts("new", spec);
      peers.remove("odd");
    }
  });
});
