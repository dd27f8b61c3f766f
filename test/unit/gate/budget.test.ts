import assert from "node:assert/strict";
import { budget } from "../../../hack/gate/budget";

const sum = (suites: Record<string, number>): number => Object.values(suites).reduce((total, each) => total + each, 0);

describe("budget", () => {
  it("has 20 minutes for npm test, and shares that add up to it", () => {
    const { total, suites } = budget(false, undefined);
    assert.equal(total, 20);
    assert.equal(sum(suites), 20);
  });

  it("has shares that add up for the long versions", () => {
    const { total, suites } = budget(true, undefined);
    assert.equal(sum(suites), total);
  });

  it("stretches every share on a slow machine", () => {
    const normal = budget(false, undefined);
    const slow = budget(false, "40");
    assert.equal(slow.total, 40);
    assert.equal(slow.suites.unit, 2 * normal.suites.unit);
  });

  it("refuses a GATE_MINUTES that is no number of minutes", () => {
    for (const text of ["", "soon", "0", "-3"]) assert.throws(() => budget(false, text), /GATE_MINUTES/);
  });
});
