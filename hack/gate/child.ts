/** Child processes that end when the gate does. Used by the suites. */
import { type ChildProcess, spawn } from "node:child_process";

/** How a process ended: its exit code, or the name of the signal that ended it. */
export type Outcome = number | string;

export interface Ended {
  outcome: Outcome;
  stdout: string;
  stderr: string;
}

interface Options {
  signal: AbortSignal;
  env?: NodeJS.ProcessEnv;
  /** "show" lets it write to our terminal, "keep" collects what it writes. */
  output: "show" | "keep";
}

/** Time for a process to clean up after itself, in milliseconds. */
const GRACE = 45_000;

/** Runs a program in a process group of its own, so that a Ctrl-C on the terminal reaches it through us only, once. */
export function run(command: string, args: string[], options: Options): Promise<Ended> {
  const child = spawn(command, args, {
    stdio: ["ignore", options.output === "show" ? "inherit" : "pipe", options.output === "show" ? "inherit" : "pipe"],
    env: { ...process.env, ...options.env },
    detached: true,
  });
  return ended(child, options.signal, true);
}

/**
 * Waits for a child. When `signal` aborts, it gets SIGINT, time to clean up, and then SIGKILL, its whole group if it
 * leads one.
 */
export function ended(child: ChildProcess, signal: AbortSignal, leadsGroup: boolean): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const written = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (written.stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (written.stderr += text));
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      child.kill("SIGINT");
      timer = setTimeout(() => killHard(child, leadsGroup), GRACE);
    };
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    };
    child.once("error", (error) => {
      settle();
      reject(error);
    });
    child.once("close", (code, name) => {
      settle();
      // What it started and left behind must not outlive an interrupted run.
      if (signal.aborted) killHard(child, leadsGroup);
      resolve({ outcome: code ?? name ?? "unknown", ...written });
    });
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function killHard(child: ChildProcess, leadsGroup: boolean): void {
  if (!leadsGroup || child.pid === undefined) {
    child.kill("SIGKILL");
    return;
  }
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group has gone meanwhile.
  }
}
