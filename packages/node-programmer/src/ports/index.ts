/** The plan's ports in Open vSwitch. The door of this room. */
export { desiredPorts, portSpec, portsOf } from "./spec";
export type { PortSpec } from "./spec";
export { Ports, unwantedPorts } from "./ports";
export type { PortOutcome } from "./ports";
export { HostNetwork } from "./host";
export { onwardEnds, patchEnds } from "./patch";
export type { PatchEnds } from "./patch";
