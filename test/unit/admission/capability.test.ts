import assert from "node:assert/strict";
import { ANNOTATIONS, FINALIZER } from "@ovs-traffic-control/api";
import type { Capability } from "pepr";
import { PeprMutateRequest, PeprValidateRequest } from "pepr";
import { pino } from "pino";
import { admissionCallbacks, AdmissionMetrics, Surroundings } from "../../../capabilities/admission";
import { EngineMetrics } from "../../../capabilities/engine";
import { trafficControlCapability, type TrafficControl } from "../../../capabilities/traffic-control";
import { BASE, manifest } from "./cases";

const engine = new EngineMetrics();
const woken: string[] = [];
const capability: Capability = trafficControlCapability({
  ...admissionCallbacks(new AdmissionMetrics(engine), pino({ level: "silent" }), new Surroundings()),
  wake: ({ metadata }) => woken.push(metadata?.name ?? ""),
});
const binding = (kind: "isMutate" | "isValidate" | "isWatch"): Capability["bindings"][number] =>
  capability.bindings.find((found) => found[kind])!;

const request = (object: unknown, rest: object = {}): never =>
  ({ uid: "1", operation: "CREATE", object, userInfo: { username: "alice" }, kind: {}, ...rest }) as never;
const validate = (
  object: unknown,
  rest?: object,
): Promise<{ allowed: boolean; statusMessage?: string; warnings?: string[] }> =>
  Promise.resolve(binding("isValidate").validateCallback!(new PeprValidateRequest<never>(request(object, rest))));

describe("the capability", () => {
  it("mutates, validates and watches TrafficControls, creations and updates only", () => {
    assert.deepEqual(
      capability.bindings.map(({ kind, event, isMutate, isValidate, isWatch, isFinalize }) => [
        ...[kind.kind, event, isMutate ?? isValidate ?? isWatch, isFinalize],
      ]),
      Array.from({ length: 3 }, () => ["TrafficControl", "CREATEORUPDATE", true, undefined]),
    );
  });

  it("signs an object and leaves its spec as it was written", async () => {
    const mutation = new PeprMutateRequest<TrafficControl>(request(manifest({ title: "", change: {} }, "x")));
    await binding("isMutate").mutateCallback!(mutation as never);
    assert.deepEqual(mutation.Raw.metadata?.finalizers, [FINALIZER]);
    assert.equal(mutation.Raw.metadata.annotations?.[ANNOTATIONS.lastChangedBy], "alice");
    assert.deepEqual(mutation.Raw["spec"], BASE);
  });

  it("refuses a mistake with the line that names it, and warnings beside", async () => {
    const answer = await validate(manifest({ title: "", change: { direction: "both", appliedTo: {} } }));
    assert.equal(answer.allowed, false);
    assert.match(answer.statusMessage ?? "", /^spec\.direction: Unsupported value: "both"/);
    assert.match(answer.warnings?.join() ?? "", /selects no Pod/);
  });

  it("answers a bug of its own with a sentence and does not throw", async () => {
    const trap = {
      get metadata(): unknown {
        throw new Error("bug");
      },
    };
    const object = manifest({ title: "", change: {} });
    const trapped = new PeprValidateRequest<never>(request(object));
    Object.defineProperty(trapped.Request, "object", { value: trap });
    const answer = await binding("isValidate").validateCallback!(trapped);
    assert.equal(answer.allowed, false);
    assert.match(answer.statusMessage ?? "", /because of a bug of its own/);
    const mutation = new PeprMutateRequest<never>(request(object));
    Object.defineProperty(mutation.Request, "object", { value: trap });
    await binding("isMutate").mutateCallback!(mutation as never);
    assert.match(await engine.registry.metrics(), /decisions_total{webhook="mutate",decision="error",reason=""} 1/);
  });

  it("counts its decisions by the kind of the first mistake", async () => {
    await validate(manifest({ title: "", change: { action: "Redirect" } }));
    assert.match(
      await engine.registry.metrics(),
      /trafficcontrol_admission_decisions_total{webhook="validate",decision="denied",reason="Required"} 1/,
    );
  });

  it("wakes the controller with the name of what has changed", async () => {
    await binding("isWatch").watchCallback!({ metadata: { name: "tap" } } as never, "ADDED" as never);
    assert.deepEqual(woken, ["tap"]);
  });
});
