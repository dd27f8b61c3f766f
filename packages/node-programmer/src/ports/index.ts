/** The plan's ports in Open vSwitch. The door of this room. */
export { desiredPorts, portSpec, portsOf } from "./spec";
export type { PortSpec } from "./spec";
export { Ports, unwantedPorts } from "./ports";
export type { PortOutcome } from "./ports";
export { HostNetwork } from "./host";
export { patchEnds } from "./patch";
