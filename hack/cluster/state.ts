/** What a cluster remembers beside its programs' notes: places.state/state.json. */
import { readFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { NetworkName } from "./network";
import { clustersDirectory, type Places } from "./places";

export interface State {
  /** The boot that the cluster was made in: it does not survive a reboot. */
  boot: string;
  nodes: number;
  network: NetworkName;
}

export const bootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

const stateFile = (places: Places): string => path.join(places.state, "state.json");

export async function readState(places: Places): Promise<State | undefined> {
  const text = await readFile(stateFile(places), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as State);
}

export async function writeState(places: Places, state: State): Promise<void> {
  await writeFile(stateFile(places), JSON.stringify(state));
}

/** Names of all clusters that have left a state. */
export async function clusterNames(): Promise<string[]> {
  const entries = await readdir(clustersDirectory(), { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
