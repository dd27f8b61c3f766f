/** Ports of a bridge in OVSDB: make one that nobody has yet, read what became of it, delete it. Called by the owner of ports. */
import type { Ovsdb } from "./client";
import type { Operation } from "./operations";
import { fail, ok } from "../result";
import type { Result } from "../result";
import { fromWire, map, namedUuid, set, uuid } from "./values";
import type { Wire } from "./values";

/** A port to be made: one Port row with one Interface row of the same name (ovs-vswitchd.conf.db(5)). */
export interface NewPort {
  bridge: string;
  /** At most 15 characters for devices and internal ports; the kernel cuts longer ones. */
  name: string;
  /** "" for a device of the host, else `internal`, `vxlan`, `geneve`, `gre`, `erspan`, `patch`…. */
  type: string;
  /** Interface options, for example `{ remote_ip: "10.0.10.2", key: "100" }`. */
  options?: Readonly<Record<string, string>>;
  /** On the Port and the Interface: whose they are. */
  externalIds: Readonly<Record<string, string>>;
  /** Further columns of the Port row, for example `{ vlan_mode: "trunk", trunks: 4095 }`. */
  portColumns?: Readonly<Record<string, Wire>>;
  /** Further columns of the Interface row. */
  interfaceColumns?: Readonly<Record<string, Wire>>;
}

/** What ovs-vswitchd has made of a port. */
export interface PortState {
  name: string;
  /** OpenFlow port number; -1 if the interface could not be opened, null if ovs-vswitchd has not tried yet. */
  ofport: number | null;
  /** What ovs-vswitchd says went wrong; "" if nothing. */
  error: string;
}

/**
 * Makes the port and waits for ovs-vswitchd; the state says whether it could be opened, which is not an error of this
 * call. Refused if a port, interface or bridge of that name exists anywhere in this Open vSwitch: nothing is ever adopted.
 * `guards` (a lock's assert, for example) come first in the transaction.
 */
export async function createPort(
  db: Ovsdb,
  port: NewPort,
  guards: readonly Operation[] = [],
): Promise<Result<PortState>> {
  const { bridge, name } = port;
  const free = (["Port", "Interface", "Bridge"] as const).map(
    (table): Operation => ({
      op: "wait",
      table,
      where: [["name", "==", name]],
      columns: ["name"],
      until: "==",
      rows: [],
      timeout: 0,
    }),
  );
  const exists: Operation = {
    op: "wait",
    table: "Bridge",
    where: [["name", "==", bridge]],
    columns: ["name"],
    until: "==",
    rows: [{ name: bridge }],
    timeout: 0,
  };
  const ids = map(port.externalIds);
  const operations: Operation[] = [
    ...guards,
    exists,
    ...free,
    {
      op: "insert",
      table: "Interface",
      "uuid-name": "interface",
      row: {
        name,
        type: port.type,
        options: map(port.options ?? {}),
        external_ids: ids,
        ...port.interfaceColumns,
      },
    },
    {
      op: "insert",
      table: "Port",
      "uuid-name": "port",
      row: { name, interfaces: namedUuid("interface"), external_ids: ids, ...port.portColumns },
    },
    {
      op: "mutate",
      table: "Bridge",
      where: [["name", "==", bridge]],
      mutations: [["ports", "insert", set([namedUuid("port")])]],
    },
  ];
  const command = `create port ${name} on bridge ${bridge}`;
  const done = await db.transactAndWait(operations);
  if (!done.ok) {
    const { error } = done;
    const more = { stderr: error.stderr };
    if (/^wait (Port|Interface)/.test(error.message)) return fail(command, `there is a port ${name} already`, more);
    if (error.message.startsWith("wait Bridge")) {
      const bridges = await db.transact([{ op: "select", table: "Bridge", where: [["name", "==", bridge]] }]);
      const missing = bridges.ok && bridges.value[0]?.rows?.length === 0;
      return fail(command, missing ? `there is no bridge ${bridge}` : `there is a bridge ${name}`, more);
    }
    return { ok: false, error: { ...error, command } };
  }
  return readPort(db, name);
}

/** The state of a port's interface of the same name. An error if there is none. */
export async function readPort(db: Ovsdb, name: string): Promise<Result<PortState>> {
  const answer = await db.transact([
    { op: "select", table: "Interface", where: [["name", "==", name]], columns: ["ofport", "error"] },
  ]);
  if (!answer.ok) return answer;
  const row = answer.value[0]?.rows?.[0];
  if (!row) return fail(`read port ${name}`, `there is no interface ${name}`);
  const ofport = fromWire(row["ofport"]!, "optional");
  const error = fromWire(row["error"]!, "optional");
  return ok({
    name,
    ofport: typeof ofport === "number" ? ofport : null,
    error: typeof error === "string" ? error : "",
  });
}

/**
 * Deletes a port that is on this bridge and carries these external_ids; the guard is checked in the same transaction as
 * the deletion. A port that does not exist is no error; one that is somebody else's is. Waits for ovs-vswitchd.
 */
export async function deletePort(
  db: Ovsdb,
  bridge: string,
  name: string,
  externalIds: Readonly<Record<string, string>>,
  guards: readonly Operation[] = [],
): Promise<Result<void>> {
  const command = `delete port ${name} from bridge ${bridge}`;
  const found = await db.transact([
    { op: "select", table: "Port", where: [["name", "==", name]], columns: ["_uuid", "external_ids"] },
  ]);
  if (!found.ok) return found;
  const row = found.value[0]?.rows?.[0];
  if (!row) return ok(undefined);
  const id = fromWire(row["_uuid"]!, "scalar") as string;
  const ids = fromWire(row["external_ids"]!, "map") as Map<string, string>;
  for (const [key, value] of Object.entries(externalIds))
    if (ids.get(key) !== value)
      return fail(command, `it does not carry external_ids ${key}=${value}, so it is not ours`);
  const done = await db.transactAndWait([
    ...guards,
    {
      op: "wait",
      table: "Port",
      where: [
        ["_uuid", "==", uuid(id)],
        ["external_ids", "includes", map(externalIds)],
      ],
      columns: ["name"],
      until: "==",
      rows: [{ name }],
      timeout: 0,
    },
    {
      op: "mutate",
      table: "Bridge",
      where: [
        ["name", "==", bridge],
        ["ports", "includes", set([uuid(id)])],
      ],
      mutations: [["ports", "delete", set([uuid(id)])]],
    },
  ]);
  if (!done.ok) return { ok: false, error: { ...done.error, command } };
  return done.value.at(-1)?.count === 0 ? fail(command, `it is not on bridge ${bridge}`) : ok(undefined);
}
