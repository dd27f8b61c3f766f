/** How every call of this package answers: a value, or an error that says what was tried. Imported by all files here. */

/** Outcome of a call that talks to Open vSwitch. Expected failures are values; only bugs throw. */
export type Result<T> = { ok: true; value: T } | { ok: false; error: OvsError };

/** What was tried and what came back. */
export interface OvsError {
  /** The command line or JSON-RPC method with its object, for example `ovs-ofctl --bundle add-flows br-int`. */
  command: string;
  /** One sentence for a human being, with the essential part of what Open vSwitch said. */
  message: string;
  /** Standard error of the process, or the error object of the JSON-RPC peer as JSON; "" if there was none. */
  stderr: string;
  /** Exit code of the process; null if it did not exit by itself, was never started, or no process was involved. */
  exitCode: number | null;
  /** True if nothing came back in time: the daemon is gone, stopped or overloaded. Worth a retry. */
  timedOut: boolean;
}

/** Where one Open vSwitch instance is and how long to wait for it. */
export interface OvsOptions {
  /** Directory with `db.sock`, `BRIDGE.mgmt` and the daemons' pid and control files, usually /run/openvswitch. */
  runDir: string;
  /** Whole seconds after which a call gives up; 10 if absent. */
  timeoutSeconds?: number;
}

export const DEFAULT_TIMEOUT_SECONDS = 10;

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function fail(command: string, message: string, more: Partial<OvsError> = {}): { ok: false; error: OvsError } {
  return { ok: false, error: { command, message, stderr: "", exitCode: null, timedOut: false, ...more } };
}
