/** Labels and selectors of every kind, from few enough keys and values that they often meet. */
import fc from "fast-check";
import type { LabelSelector } from "../../../capabilities/api";

const key = fc.constantFrom("a", "b", "c", "toString", "__proto__");
const value = fc.constantFrom("", "1", "2", "3");
export const labelsArbitrary = fc.dictionary(key, value, { noNullPrototype: false });
export const selectorArbitrary: fc.Arbitrary<LabelSelector> = fc.record(
  {
    matchLabels: labelsArbitrary,
    matchExpressions: fc.array(
      fc.oneof(
        fc.record({
          key,
          operator: fc.constantFrom("In" as const, "NotIn" as const),
          values: fc.array(value, { minLength: 1, maxLength: 3 }),
        }),
        fc.record({ key, operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const) }),
      ),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: [] },
);
/** One that often matches, so that histories have something to lose. */
export const simpleSelectorArbitrary: fc.Arbitrary<LabelSelector> = fc.oneof(
  fc.record({ key, value }).map(({ key: name, value: wanted }) => ({ matchLabels: { [name]: wanted } })),
  key.map((name) => ({ matchExpressions: [{ key: name, operator: "Exists" as const }] })),
  fc.constant({}),
);
