/** Resident memory of the operator's processes. Used by main.ts. */
import type { Cluster } from "../../../hack/cluster";
import { operatorProcesses, type Component } from "../../support/e2e/operator-processes";
import type { Measurement } from "./statistics";

const COMPONENTS: Record<Component, string> = {
  controller: "controller",
  admission: "admission server",
  programmer: "node programmer",
};

/** Mebibytes of each process of this cluster. */
export function memory(cluster: Cluster): Measurement[] {
  const processes = operatorProcesses(cluster);
  return Object.entries(COMPONENTS).map(([component, name]) => {
    const values = processes.filter((each) => each.component === component).map(({ mebibytes }) => mebibytes);
    if (values.length === 0) throw new Error(`No process of the ${name} has been found.`);
    return { name: `memory (RSS): ${name}`, unit: "MiB", values };
  });
}
