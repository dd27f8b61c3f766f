/** The way into this node's Open vSwitch: its database, and the right to act on it. Called by the programmer. */
import { Ovsdb, fail, ok } from "ovs-ofctl-wrapper";
import type { Lock, Result } from "ovs-ofctl-wrapper";
import type { ProgrammerOptions } from "./options";
import { COLUMNS } from "./ovs";
import type { OvsReplica } from "./ovs";

const LOCK = "ovs_traffic_control";
/** Milliseconds that ovsdb-server has to answer at start, and between tries. */
const START_WAIT = 30_000;
const TRY_EVERY = 250;
/** Milliseconds that a predecessor has to end. */
const LOCK_WAIT = 10_000;

export interface Connection {
  db: Ovsdb;
  replica: OvsReplica;
  /** Held or not: see waitForLock. */
  lock: Lock;
}

/** Connects, waiting for a database that is just starting; `onChange` is called after each change of a column of ours. */
export async function connect(
  { runDir, signal, once }: Pick<ProgrammerOptions, "runDir" | "signal" | "once">,
  onChange: () => void,
): Promise<Result<Connection>> {
  const deadline = Date.now() + (once ? 0 : START_WAIT);
  for (;;) {
    try {
      return await open(runDir, onChange);
    } catch (error) {
      if (Date.now() > deadline || signal?.aborted)
        return fail(`connect to ${runDir}`, `${(error as Error).message}${adviceFor(error as Error)}`);
      await new Promise((resolve) => setTimeout(resolve, TRY_EVERY));
    }
  }
}

/** What may stand in the way, and where to turn. Root is refused by nothing but a security module. */
function adviceFor({ message }: Error): string {
  if (/\b(EACCES|EPERM)\b/.test(message))
    return " The node forbids it: where SELinux confines the programmer's container it needs the type spc_t (as privileged containers have), where AppArmor does, no profile.";
  if (/\bENOENT\b/.test(message))
    return " Its run directory may be another one on this node (programmer.ovsRunDirectory), or in a container that does not share it.";
  return "";
}

async function open(runDir: string, onChange: () => void): Promise<Result<Connection>> {
  const db = await Ovsdb.connect({ runDir });
  const [replica, lock] = await Promise.all([db.monitor(COLUMNS, onChange), db.lock(LOCK)]);
  if (!replica.ok) return replica;
  if (!lock.ok) return lock;
  return ok({ db, replica: replica.value, lock: lock.value });
}

/** True as soon as the lock is ours; false if its holder does not end in the time that an old programmer needs. */
export function waitForLock(lock: Lock, onWait: () => void): Promise<boolean> {
  if (lock.held) return Promise.resolve(true);
  onWait();
  return new Promise((resolve) => {
    const acquired = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    const timer = setTimeout(() => {
      lock.off("acquired", acquired);
      resolve(false);
    }, LOCK_WAIT);
    lock.once("acquired", acquired);
  });
}
