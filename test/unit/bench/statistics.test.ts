/** Figures of a measurement. */
import assert from "node:assert/strict";
import { percentile, table } from "../../bench/e2e/statistics";

describe("percentile", () => {
  const cases: [number[], number, number][] = [
    [[3, 1, 2], 50, 2],
    [[4, 3, 2, 1], 50, 2],
    [Array.from({ length: 20 }, (_, index) => index + 1), 90, 18],
    [[7], 90, 7],
    [[-3, 5, -1], 50, -1],
  ];
  for (const [values, percent, wanted] of cases) {
    it(`${percent} of ${values.join(", ")} is ${wanted}`, () => assert.equal(percentile(values, percent), wanted));
  }
});

describe("table", () => {
  it("shows count, median, p90, maximum and minimum with the unit", () => {
    const text = table([{ name: "creation", unit: "ms", values: [12.34, 1.25, 110.6] }]);
    assert.match(text.split("\n")[2]!, /^\| creation \| 3 +\| 12 ms +\| 111 ms +\| 111 ms +\| 1\.3 ms +\|$/);
  });
});
