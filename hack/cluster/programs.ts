/**
 * Long-running programs of a cluster: started detached with a log and a note of process id and start time, found again by
 * the next command, restarted when they are dead or were started differently. A reused process id is never mistaken.
 */
import { createHash } from "node:crypto";
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processesFile } from "./cgroups";
import { inside, type Whereabouts } from "./namespaces";
import type { Places } from "./places";

export interface Program extends Whereabouts {
  /** Unique in the cluster; names the log and the note. */
  name: string;
  argv: string[];
  /** Name of its cgroup in the cluster's. */
  group: string;
  /** What the program reads at its start: if it changes, the program is restarted. */
  configuration?: string;
  env?: Record<string, string>;
}

interface Note {
  pid: number;
  /** Of the process, in clock ticks since boot. */
  started: string;
  fingerprint: string;
}

const noteFile = (places: Places, name: string): string => path.join(places.state, "run", `${name}.json`);

/** Start time of a living process; undefined if there is none or it is a zombie. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the name in parentheses, can contain anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function note(places: Places, name: string): Note | undefined {
  try {
    return JSON.parse(readFileSync(noteFile(places, name), "utf8")) as Note;
  } catch {
    return undefined;
  }
}

/** Process id of the program if it runs. */
export function runningPid(places: Places, name: string): number | undefined {
  const found = note(places, name);
  return found && startTime(found.pid) === found.started ? found.pid : undefined;
}

function fingerprint({ argv, network, mountsOf, configuration, env }: Program): string {
  return createHash("sha256")
    .update(JSON.stringify([argv, network, mountsOf, configuration, env]))
    .digest("hex");
}

/** Sees to it that the program runs as described. True if it had to be started. */
export async function ensure(places: Places, program: Program): Promise<boolean> {
  const pid = runningPid(places, program.name);
  if (pid !== undefined) {
    if (note(places, program.name)?.fingerprint === fingerprint(program)) return false;
    await stop(places, program.name);
  }
  await mkdir(path.dirname(noteFile(places, program.name)), { recursive: true });
  await mkdir(path.dirname(places.log(program.name)), { recursive: true });
  const [file, ...args] = inside(program, program.argv);
  const log = openSync(places.log(program.name), "a");
  // The process itself joins the cgroup before it becomes the program, so that no child of it can be outside.
  const join = ["-c", 'echo $$ >"$0" && exec "$@"', processesFile(places.cgroup, program.group), file, ...args];
  const child = spawn("sh", join, {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
    env: { ...process.env, ...program.env },
  });
  closeSync(log);
  child.unref();
  const started = child.pid === undefined ? undefined : startTime(child.pid);
  if (child.pid === undefined || started === undefined) throw new ProgramError(places, program.name, "did not start");
  const written: Note = { pid: child.pid, started, fingerprint: fingerprint(program) };
  writeFileSync(noteFile(places, program.name), JSON.stringify(written));
  return true;
}

/** Ends the program: asks, then kills after two seconds. */
async function stop(places: Places, name: string): Promise<void> {
  const pid = runningPid(places, name);
  if (pid !== undefined) {
    signal(pid, "SIGTERM");
    for (let i = 0; i < 100 && runningPid(places, name) === pid; i++) await sleep(20);
    while (runningPid(places, name) === pid) {
      signal(pid, "SIGKILL");
      await sleep(20);
    }
  }
  rmSync(noteFile(places, name), { force: true });
}

/** Kills processes and waits until they are gone. */
export async function killAll(pids: number[]): Promise<void> {
  const alive = (): [number, string][] =>
    pids.flatMap((pid) => {
      const started = startTime(pid);
      return started === undefined ? [] : [[pid, started]];
    });
  const victims = alive();
  for (const [pid] of victims) signal(pid, "SIGKILL");
  for (let i = 0; victims.some(([pid, started]) => startTime(pid) === started); i++) {
    if (i > 500) throw new Error(`Processes ${pids.join(", ")} were killed 10 s ago and still run`);
    await sleep(20);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Waits until `check` gives something; fails at once when the program that it depends on ends. */
export async function until<T>(
  places: Places,
  what: string,
  program: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  seconds = 60,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const result = await check();
    if (result !== undefined && result !== false) return result;
    if (runningPid(places, program) === undefined)
      throw new ProgramError(places, program, `ended while waiting: ${what}`);
    if (Date.now() > deadline) throw new ProgramError(places, program, `not after ${seconds} s: ${what}`);
    await sleep(20);
  }
}

/** A step failed for a reason that a program's log should tell: shows its last lines and says where it is. */
class ProgramError extends Error {
  override readonly name = "ProgramError";
  constructor(places: Places, program: string, what: string) {
    const log = places.log(program);
    super(`${program}: ${what}\nLast lines of ${log}:\n${lastLines(log, 15)}`);
  }
}

/** The result of work that a program does for us; if it fails, the error says also what that program wrote last. */
export async function explained<T>(places: Places, program: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new ProgramError(places, program, error instanceof Error ? error.message : String(error));
  }
}

function lastLines(file: string, count: number): string {
  if (!existsSync(file)) return "  (there is no such file)";
  const lines = readFileSync(file, "utf8").trimEnd().split("\n").slice(-count);
  return lines.map((line) => `  ${line.length > 400 ? `${line.slice(0, 400)}…` : line}`).join("\n");
}
