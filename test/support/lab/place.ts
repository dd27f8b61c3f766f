/**
 * Where a lab lives: a directory for the daemons' files and a prefix for its network namespaces, both unique to this
 * process, so that several runs go side by side and a crashed one can be cleaned up by the next. Used by Lab.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { quietly } from "./command";

/** Short, because the paths of Unix sockets end after 107 characters. */
const ROOT = "/tmp/otc-lab";

export interface Place {
  /** For example `otl4711a`; network namespaces are called `otl4711a-n1`. */
  prefix: string;
  directory: string;
}

let count = 0;

/** Makes a place for one lab. */
export function claim(): Place {
  const prefix = `otl${process.pid}${String.fromCharCode(97 + (count++ % 26))}`;
  const directory = path.join(ROOT, prefix);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, "owner"), `${process.pid} ${startTime(process.pid) ?? ""}`);
  return { prefix, directory };
}

/** Ends everything of a place: processes by the pid files of its daemons, then namespaces (with all their links), then files. */
export function vacate({ prefix, directory }: Place): void {
  for (const pid of daemons(directory)) kill(pid, "SIGKILL");
  for (const namespace of quietly("ip", ["netns", "list"]).split("\n")) {
    const name = namespace.split(" ")[0] ?? "";
    if (!name.startsWith(`${prefix}-`)) continue;
    for (const pid of quietly("ip", ["netns", "pids", name]).split("\n")) if (pid !== "") kill(Number(pid), "SIGKILL");
    quietly("ip", ["netns", "del", name]);
  }
  rmSync(directory, { recursive: true, force: true });
}

/** Cleans up after runs whose process has gone. */
export function vacateOrphans(): void {
  for (const prefix of list(ROOT)) {
    const directory = path.join(ROOT, prefix);
    let owner: string;
    try {
      owner = readFileSync(path.join(directory, "owner"), "utf8");
    } catch {
      continue; // Another run is making or removing it right now.
    }
    const [pid = "", started = ""] = owner.split(" ");
    if (startTime(Number(pid)) !== started) vacate({ prefix, directory });
  }
}

/**
 * True while any thread of the process runs, because each holds its files and their locks, also after the first has ended.
 * A zombie that nobody has reaped yet does not.
 */
export function alive(pid: number): boolean {
  return list(`/proc/${pid}/task`).some((thread) => {
    const state = stat(`${pid}/task/${thread}`)?.[0];
    return state !== undefined && state !== "Z" && state !== "X";
  });
}

/** Pids of the daemons whose pid files are below the directory, if they are still those daemons. */
function daemons(directory: string): number[] {
  return list(directory).flatMap((node) =>
    list(path.join(directory, node))
      .filter((file) => file.endsWith(".pid"))
      .flatMap((file) => {
        try {
          const pid = Number(readFileSync(path.join(directory, node, file), "utf8"));
          return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(directory) ? pid : [];
        } catch {
          return [];
        }
      }),
  );
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The fields of a stat file below /proc from the state on (proc(5)); the name before them may contain blanks. */
function stat(process: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${process}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** Tells a process from a later one with the same pid. */
function startTime(pid: number): string | undefined {
  return alive(pid) ? stat(String(pid))?.[19] : undefined;
}
