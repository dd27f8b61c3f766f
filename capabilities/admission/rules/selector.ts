/** Rules of the label selectors in appliedTo: Kubernetes' own, which a custom resource does not get by itself. */
import { all, has, list, map, member, object, oneOf, text, type Rule } from "./field";
import { MESSAGES } from "./messages";

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LONGEST_PREFIX = 253;
const MOST = 64;

function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  if (slash < 0) return NAME.test(key);
  return slash <= LONGEST_PREFIX && DNS_SUBDOMAIN.test(key.slice(0, slash)) && NAME.test(key.slice(slash + 1));
}

const labelValue = text(63, (value) => (VALUE.test(value) ? undefined : { message: MESSAGES.labelValue }));
const labelKey = text(317, (key) => (isLabelKey(key) ? undefined : { message: MESSAGES.labelKey }));

const matchLabels = map(
  MOST,
  ({ path }, keys) => {
    const wrong = keys.find((key) => !isLabelKey(key));
    return wrong === undefined ? [] : [{ path, kind: "Invalid", value: wrong, message: MESSAGES.labelKeys }];
  },
  labelValue,
);

/** In and NotIn compare with values, Exists and DoesNotExist have none. An unknown operator is another rule's mistake. */
const valuesFitOperator: Rule = ({ path, value }) => {
  const operator = member(value, "operator");
  const values = member(value, "values");
  const none = values === undefined || (Array.isArray(values) && values.length === 0);
  const compares = operator === "In" || operator === "NotIn";
  if (compares && none) return [{ path: `${path}.values`, kind: "Required", message: MESSAGES.valuesRequired }];
  if ((operator === "Exists" || operator === "DoesNotExist") && !none)
    return [{ path: `${path}.values`, kind: "Forbidden", message: MESSAGES.valuesForbidden }];
  return [];
};

const requirement = object(
  { key: labelKey, operator: oneOf("In", "NotIn", "Exists", "DoesNotExist"), values: list(MOST, labelValue) },
  { key: "the key of a label", operator: "In, NotIn, Exists or DoesNotExist" },
  valuesFitOperator,
);

export const selector = all(object({ matchLabels, matchExpressions: list(MOST, requirement) }));

/** Whether a selector matches everything. */
export function isEmptySelector(value: unknown): boolean {
  const size = (name: string): number => Object.keys(member(value, name) ?? {}).length;
  return size("matchLabels") === 0 && size("matchExpressions") === 0;
}

/** The selectors that appliedTo has. */
export function selectorsOf(appliedTo: unknown): unknown[] {
  return ["podSelector", "namespaceSelector"]
    .filter((name) => has(appliedTo, name))
    .map((name) => member(appliedTo, name));
}
