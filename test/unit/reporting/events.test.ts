import assert from "node:assert/strict";
import { logger, RESOURCES } from "../../../capabilities/engine";
import { EventRecorder, type EventDetails } from "../../../capabilities/reporting";
import { FakeApiServer, type FakeObject } from "../engine/fake-api-server";
import { VirtualClock } from "../engine/virtual-clock";
import { sampleTrafficControl } from "../planning/samples";

const REALIZED: EventDetails = { type: "Normal", reason: "Realized", action: "Program", note: "Mirroring 1 Pod." };

function setUp(): { clock: VirtualClock; recorder: EventRecorder; events: () => FakeObject[] } {
  const clock = new VirtualClock();
  const server = new FakeApiServer(() => clock.now());
  const recorder = new EventRecorder({ api: server.client(), instance: "controller-0", clock, log: logger("test") });
  return { clock, recorder, events: () => server.all({ resource: RESOURCES.events, namespace: "default" }) };
}

describe("EventRecorder", () => {
  it("writes an Event about the TrafficControl into Namespace default", async () => {
    const { clock, recorder, events } = setUp();
    recorder.record(sampleTrafficControl(), REALIZED);
    await clock.advance(0);
    const [event] = events();
    const { reason, note, type, action, regarding, reportingInstance, eventTime } = event!;
    assert.deepEqual([reason, note, type, action], ["Realized", "Mirroring 1 Pod.", "Normal", "Program"]);
    assert.deepEqual(regarding, {
      apiVersion: "crd.antrea.io/v1alpha2",
      kind: "TrafficControl",
      name: "tap",
      uid: "uid-tap",
      resourceVersion: "1",
    });
    assert.equal(reportingInstance, "ovs-traffic-control-controller-0");
    assert.match(String(eventTime), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  it("does not repeat itself for ten minutes", async () => {
    const { clock, recorder, events } = setUp();
    for (let minute = 0; minute < 20; minute++) {
      recorder.record(sampleTrafficControl(), REALIZED);
      await clock.advance(60_000);
    }
    assert.equal(events().length, 2);
  });

  it("tells two notes and two objects apart", async () => {
    const { clock, recorder, events } = setUp();
    recorder.record(sampleTrafficControl(), REALIZED);
    recorder.record(sampleTrafficControl(), { ...REALIZED, note: "Mirroring 2 Pods." });
    recorder.record(sampleTrafficControl({ name: "other" }), REALIZED);
    await clock.advance(0);
    assert.equal(events().length, 3);
  });

  it("lets an object say twenty things at once and then one a minute", async () => {
    const { clock, recorder, events } = setUp();
    for (let i = 0; i < 50; i++) recorder.record(sampleTrafficControl(), { ...REALIZED, note: `${i}` });
    await clock.advance(0);
    assert.equal(events().length, 20);
    for (let i = 0; i < 20; i++) {
      await clock.advance(15_000);
      recorder.record(sampleTrafficControl(), { ...REALIZED, note: `later ${i}` });
    }
    await clock.advance(0);
    assert.equal(events().length, 25);
  });
});
