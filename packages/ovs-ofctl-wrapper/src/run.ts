/** Starts one ovs-* process without a shell and waits for it. Called by OpenFlow and, for its held connection, ConnectionMonitor. */
import { spawn } from "node:child_process";
import { DEFAULT_TIMEOUT_SECONDS, fail, ok } from "./result";
import type { OvsOptions, Result } from "./result";

/** Time that a tool gets beyond its own `-t` before it is killed, in milliseconds: `-t` does not cover a stopped process. */
const GRACE_MILLISECONDS = 1000;

/** Environment of an ovs-* tool: everything relative to the instance's run directory, messages in English. */
export function environment(options: OvsOptions): NodeJS.ProcessEnv {
  return { ...process.env, OVS_RUNDIR: options.runDir, LC_ALL: "C" };
}

/**
 * Runs `tool` with `args`, feeds `input` and returns standard output. `-t` is always given: the tools have no time-out
 * of their own by default (ovs-ofctl(8), ovs-vsctl(8)).
 */
export function run(options: OvsOptions, tool: string, args: readonly string[], input = ""): Promise<Result<string>> {
  const seconds = Math.max(1, Math.ceil(options.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS));
  const command = `${tool} ${args.join(" ")}`;
  return new Promise((resolve) => {
    const child = spawn(tool, ["-t", String(seconds), ...args], {
      env: environment(options),
      stdio: ["pipe", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let killed = false;
    const timer = setTimeout(
      () => {
        killed = true;
        child.kill("SIGKILL");
      },
      seconds * 1000 + GRACE_MILLISECONDS,
    );
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    // A tool that refuses its input early closes the pipe; its exit code and stderr say why.
    child.stdin.on("error", () => undefined);
    child.once("error", (error) => {
      clearTimeout(timer);
      resolve(fail(command, `${tool} could not be started: ${error.message}. Is Open vSwitch installed?`));
    });
    child.once("close", (exitCode, signal) => {
      clearTimeout(timer);
      if (exitCode === 0) {
        resolve(ok(Buffer.concat(stdout).toString("utf8")));
        return;
      }
      const text = Buffer.concat(stderr).toString("utf8").trim();
      // -t makes the tool end itself by SIGALRM.
      const timedOut = killed || signal === "SIGALRM";
      const why = timedOut
        ? `no answer from Open vSwitch within ${seconds} s`
        : text.split("\n")[0] || `ended by ${signal ?? `exit code ${exitCode}`}`;
      resolve(fail(command, why, { stderr: text, exitCode, timedOut }));
    });
    child.stdin.end(input);
  });
}
