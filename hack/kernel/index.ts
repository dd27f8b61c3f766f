/** The door of the virtual machine whose kernel has Open vSwitch's datapath. */
export { makeDisk, vmImage } from "./image";
export { hasKvm, machineCommand } from "./machine";
