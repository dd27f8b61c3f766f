/** The Pepr capability: which callback answers which event of a TrafficControl. Constructed by pepr.ts; no logic here. */
import { a, Capability, RegisterKind } from "pepr";
import type { AdmissionCallbacks } from "./admission";
import { TRAFFIC_CONTROL } from "./api";

/** What Pepr knows a TrafficControl by. */
export class TrafficControl extends a.GenericKind {}
RegisterKind(TrafficControl, TRAFFIC_CONTROL);

export interface TrafficControlActions extends AdmissionCallbacks {
  /** Puts the name on the controller's queue. */
  wake: (object: TrafficControl) => void;
}

export function trafficControlCapability(actions: TrafficControlActions): Capability {
  const capability = new Capability({
    name: "traffic-control",
    description: "Taps and steers Pod traffic on Open vSwitch",
  });
  const { When } = capability;

  // Admission: sign it, refuse its mistakes. Controller: have a look at it.
  When(TrafficControl)
    .IsCreatedOrUpdated()
    .Mutate(actions.signObject)
    .Validate(actions.refuseMistakes)
    .Watch(actions.wake);

  return capability;
}
