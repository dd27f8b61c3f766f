/** All rules of one TrafficControl, put together from those of its parts. */
import { claims } from "./claim";
import { has, member, object, oneOf, type Rule } from "./field";
import { MESSAGES } from "./messages";
import { returnPort, targetPort } from "./port";
import { selector } from "./selector";

const returnPortFitsAction: Rule = ({ path, value }) => {
  const action = member(value, "action");
  const present = has(value, "returnPort");
  if (action === "Redirect" && !present)
    return [{ path: `${path}.returnPort`, kind: "Required", message: MESSAGES.returnPortRequired }];
  if (action === "Mirror" && present)
    return [{ path: `${path}.returnPort`, kind: "Forbidden", message: MESSAGES.returnPortForbidden }];
  return [];
};

const erspanOnlyMirrors: Rule = ({ path, value }) =>
  member(value, "action") === "Redirect" && has(member(value, "targetPort"), "erspan")
    ? [{ path: `${path}.targetPort.erspan`, kind: "Forbidden", message: MESSAGES.erspanRedirect }]
    : [];

const oneNameIsOnePort: Rule = ({ path, value }) => {
  const [target, back] = claims(value);
  return target !== undefined && target.port === back?.port && target.shape !== back.shape
    ? [{ path: `${path}.returnPort`, kind: "Forbidden", message: MESSAGES.returnPortOtherKind }]
    : [];
};

const spec = object(
  {
    appliedTo: object({ podSelector: selector, namespaceSelector: selector }),
    direction: oneOf("Ingress", "Egress", "Both"),
    action: oneOf("Mirror", "Redirect"),
    targetPort,
    returnPort,
  },
  {
    appliedTo: "say which Pods: podSelector, namespaceSelector or both",
    direction: "Ingress, Egress or Both",
    action: "Mirror or Redirect",
    targetPort: MESSAGES.targetKindMissing,
  },
  returnPortFitsAction,
  erspanOnlyMirrors,
  oneNameIsOnePort,
);

export const trafficControl = object({ spec }, { spec: "what is wanted: appliedTo, direction, action, targetPort" });
