import assert from "node:assert/strict";
import fc from "fast-check";
import { PeprValidateRequest } from "pepr";
import { pino } from "pino";
import {
  admissionCallbacks,
  AdmissionMetrics,
  format,
  mistakes,
  Surroundings,
  warnings,
} from "../../../capabilities/admission";
import { denial, warningLines } from "../../../capabilities/admission/review";
import { EngineMetrics } from "../../../capabilities/engine";
import { reviewOf } from "../../support/e2e/reviews";
import { json, nearlyRightSpec, replaceLeaf, validSpec } from "./arbitrary";
import { manifest } from "./cases";

describe("the rules, whatever they are given,", () => {
  it("find nothing in any right spec", () => {
    fc.assert(
      fc.property(validSpec, (spec) => {
        assert.deepEqual(mistakes({ spec }).map(format), []);
      }),
      { numRuns: 500 },
    );
  });

  it("never throw, nor do the warnings, and every line names a field", () => {
    fc.assert(
      fc.property(json, (object) => {
        for (const mistake of mistakes(object)) assert.match(format(mistake), /^(spec|TrafficControl)[^\n]*: [A-Z]/s);
        warnings(object);
      }),
      { numRuns: 2_000 },
    );
  });

  it("never throw about a right spec in which one value was replaced by anything", () => {
    fc.assert(
      fc.property(validSpec, json, fc.nat(), (spec, value, at) => {
        const object = { spec: replaceLeaf(spec, at, value) };
        for (const mistake of mistakes(object)) format(mistake);
        warnings(object);
      }),
      { numRuns: 2_000 },
    );
  });

  it("are what the webhook says about 10,000 specs that may be wrong", () => {
    const callbacks = admissionCallbacks(
      new AdmissionMetrics(new EngineMetrics()),
      pino({ level: "silent" }),
      new Surroundings(),
    );
    let refused = 0;
    const alike = fc.property(nearlyRightSpec, (spec) => {
      const { request } = reviewOf({ ...manifest({ title: "", change: {} }), spec });
      const answer = callbacks.refuseMistakes(new PeprValidateRequest<never>(request as never));
      const found = mistakes(request.object);
      if (found.length > 0) refused++;
      assert.deepEqual(answer, {
        ...{ allowed: found.length === 0, warnings: warningLines(warnings(request.object)) },
        ...(found.length === 0 ? {} : { statusCode: 422, statusMessage: denial(found) }),
      });
    });
    fc.assert(alike, { numRuns: 10_000 });
    assert.ok(refused > 2_500 && refused < 7_500, `${refused} were refused`);
  });

  it("answer about 2 MB of nonsense soon and briefly", () => {
    const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
    const hostile = [
      { direction: "x".repeat(2_000_000) },
      { targetPort: { vxlan: { remoteIP: "1".repeat(2_000_000) } } },
      { targetPort: { device: { name: "ä".repeat(1_000_000) } } },
      {
        appliedTo: {
          podSelector: { matchLabels: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`-${i}`, ""])) },
        },
      },
      { appliedTo: { podSelector: { matchExpressions: Array.from({ length: 100_000 }, () => 5) } } },
      { appliedTo: deep(5_000) },
      { appliedTo: { podSelector: { matchLabels: { [`${"a.".repeat(500_000)}/b`]: "x" } } } },
    ];
    for (const change of hostile) {
      const object = manifest({ title: "", change });
      const started = process.cpuUsage();
      const lines = mistakes(object).map(format);
      // Processor time, because a busy machine says nothing about the rules; a quadratic rule takes minutes.
      const milliseconds = process.cpuUsage(started).user / 1000;
      assert.ok(milliseconds < 1_000, `${Object.keys(change)[0]!} took ${milliseconds} ms`);
      assert.ok(lines.join("\n").length < 2_000, "the answer is as long as the question");
    }
  });
});
