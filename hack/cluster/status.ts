/** Prints what of a cluster runs. Called by main.ts. */
import { namespaceExists } from "./namespaces";
import { NETWORKS } from "./network";
import { nodePrograms } from "./node";
import { nodeName, Places } from "./places";
import { runningPid } from "./programs";
import { bootId, clusterNames, readState } from "./state";

/** True if everything that should be there is. */
export async function printStatus(name: string): Promise<boolean> {
  const places = new Places(name);
  const state = await readState(places);
  if (state?.boot !== bootId()) {
    const others = (await clusterNames()).filter((other) => other !== name);
    console.log(`There is no cluster ${name}${others.length > 0 ? `; there are: ${others.join(", ")}` : ""}.`);
    return false;
  }
  const dead: string[] = [];
  const print = (what: string, value: string | number | undefined): void => {
    console.log(`${what.padEnd(24)}${value ?? "dead"}`);
    if (value === undefined) dead.push(what);
  };
  const namespace = (label: string): string | undefined => (namespaceExists(label) ? label : undefined);
  const process = (program: string): string | undefined => {
    const pid = runningPid(places, program);
    return pid === undefined ? undefined : `process ${pid}, log ${places.log(program)}`;
  };
  print("network", state.network);
  print("machine namespace", namespace(places.machineNamespace));
  const network = NETWORKS[state.network];
  const controlPlane = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
  for (const program of [...controlPlane, ...network.machinePrograms]) print(program, process(program));
  for (const node of Array.from({ length: state.nodes }, (_, index) => nodeName(index + 1))) {
    print(`${node} namespace`, namespace(places.nodeNamespace(node)));
    for (const program of [...nodePrograms(node), ...network.nodePrograms(node)]) print(program, process(program));
  }
  console.log(`KUBECONFIG              ${places.kubeconfig} (inside the machine namespace)`);
  if (dead.length > 0) console.log(`Mend it: npm run cluster -- up --name ${name}`);
  return dead.length === 0;
}
