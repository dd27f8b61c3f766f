/**
 * OVN's central part, on the cluster's machine: northbound and southbound database and northd. They listen inside the
 * machine's namespace only, so that several clusters are no matter. Called by ovn.ts.
 */
import { execa } from "execa";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { CONTROL_PLANE } from "../cgroups";
import { inside, run } from "../namespaces";
import { LOGGING } from "../open-vswitch";
import { MACHINE_ADDRESS, type Places } from "../places";
import { ensure, explained, until } from "../programs";

const PORTS = { nb: 6641, sb: 6642 } as const;
type Database = keyof typeof PORTS;

const remote = (database: Database): string => `tcp:${MACHINE_ADDRESS}:${PORTS[database]}`;
export const NORTHBOUND = remote("nb");
export const SOUTHBOUND = remote("sb");
/** The distributed router between the nodes' switches. */
export const CLUSTER_ROUTER = "ovn_cluster_router";
export const NORTHD = "ovn-northd";
const databaseProgram = (database: Database): string => `ovn-${database}`;
export const CENTRAL_PROGRAMS = [databaseProgram("nb"), databaseProgram("sb"), NORTHD];

export async function startCentral(places: Places): Promise<void> {
  await mkdir(folder(places), { recursive: true });
  await Promise.all([startDatabase(places, "nb"), startDatabase(places, "sb")]);
  const argv = [
    "ovn-northd",
    `--ovnnb-db=${NORTHBOUND}`,
    `--ovnsb-db=${SOUTHBOUND}`,
    control(places, "northd"),
    ...LOGGING,
  ];
  await ensure(places, { ...onMachine(places), name: NORTHD, argv });
  const router = northbound(places, "Making the cluster's router", [["--may-exist", "lr-add", CLUSTER_ROUTER]]);
  await explained(places, databaseProgram("nb"), router);
}

async function startDatabase(places: Places, database: Database): Promise<void> {
  const file = path.join(folder(places), `${database}.db`);
  if (!existsSync(file)) await execa("ovsdb-tool", ["create", file, `/usr/share/ovn/ovn-${database}.ovsschema`]);
  const listen = `--remote=ptcp:${PORTS[database]}:${MACHINE_ADDRESS}`;
  const argv = ["ovsdb-server", file, listen, control(places, database), ...LOGGING];
  const name = databaseProgram(database);
  await ensure(places, { ...onMachine(places), name, argv });
  // The programs that connect once, such as ovn-nbctl, do not try again.
  const ask = inside(onMachine(places), ["ovsdb-client", "--timeout=5", "list-dbs", remote(database)]);
  await until(places, "it answers", name, async () => !(await execa({ reject: false })`${ask}`).failed);
}

/** One transaction of ovn-nbctl's commands. */
export async function northbound(places: Places, what: string, commands: string[][]): Promise<void> {
  const argv = [
    "ovn-nbctl",
    "--timeout=30",
    `--db=${NORTHBOUND}`,
    ...commands.flatMap((command) => ["--", ...command]),
  ];
  await run(what, { network: places.machineNamespace }, argv);
}

const folder = (places: Places): string => path.join(places.state, "ovn");
/** Beside the databases: /run is shared with the other clusters. */
const control = (places: Places, program: string): string => `--unixctl=${path.join(folder(places), `${program}.ctl`)}`;
const onMachine = (places: Places): { network: string; group: string } => ({
  network: places.machineNamespace,
  group: CONTROL_PLANE,
});
