/** What is allowed but probably not meant: one warning per thought, shown by kubectl after `Warning:`. */
import { claims } from "./claim";
import { member } from "./field";
import { isEmptySelector, selectorsOf } from "./selector";

/** Codes are an API: metrics and tests name them. */
export type WarningCode =
  | "SelectsNothing"
  | "SelectsEverything"
  | "OneArmed"
  | "HalfConnection"
  | "GreKeyUnreadable"
  | "OverlayPort"
  | "ManyTunnels"
  | "Twin";

export interface Warning {
  code: WarningCode;
  path: string;
  message: string;
}

type Check = (spec: unknown) => Warning | undefined;

const selectsNothing: Check = (spec) =>
  selectorsOf(member(spec, "appliedTo")).length === 0
    ? warning(
        "SelectsNothing",
        "spec.appliedTo",
        "has neither podSelector nor namespaceSelector and so selects no Pod; `podSelector: {}` selects all Pods",
      )
    : undefined;

const selectsEverything: Check = (spec) => {
  const selectors = selectorsOf(member(spec, "appliedTo"));
  return selectors.length > 0 && selectors.every(isEmptySelector)
    ? warning("SelectsEverything", "spec.appliedTo", "selects every Pod of the cluster")
    : undefined;
};

const oneArmed: Check = (spec) => {
  const [target, back] = claims(spec);
  return target !== undefined && target.port === back?.port
    ? warning(
        "OneArmed",
        "spec.returnPort",
        "is the same port as targetPort: right for a one-armed device, wrong for one that bridges two ports",
      )
    : undefined;
};

const halfConnection: Check = (spec) => {
  const direction = member(spec, "direction");
  return member(spec, "action") === "Mirror" && (direction === "Ingress" || direction === "Egress")
    ? warning(
        "HalfConnection",
        "spec.direction",
        `${direction} copies one half of every connection; an IDS that follows connections needs Both`,
      )
    : undefined;
};

const greKeyUnreadable: Check = (spec) => {
  const path = ["targetPort", "returnPort"].find((port) => {
    const key = member(member(member(spec, port), "gre"), "key");
    return typeof key === "number" && key > 2147483647;
  });
  return path === undefined
    ? undefined
    : warning(
        "GreKeyUnreadable",
        `spec.${path}.gre.key`,
        "is above 2147483647, which Antrea's own agent cannot read: while one runs on this CRD it loses sight of every TrafficControl",
      );
};

const CHECKS: readonly Check[] = [selectsNothing, selectsEverything, oneArmed, halfConnection, greKeyUnreadable];

/** All warnings about an object in which the rules found no mistake. */
export function warnings(object: unknown): Warning[] {
  const spec = member(object, "spec");
  return CHECKS.map((check) => check(spec)).filter((found) => found !== undefined);
}

export function formatWarning({ path, message }: Warning): string {
  return `${path} ${message}`;
}

export function warning(code: WarningCode, path: string, message: string): Warning {
  return { code, path, message };
}
