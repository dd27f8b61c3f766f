/** Processes of the lab: run one and wait, or run one inside a network namespace. Used by all files of the lab. */
import { execFile, execFileSync } from "node:child_process";
import { PATIENCE_FACTOR } from "../patience";

export interface Output {
  stdout: string;
  stderr: string;
  exitCode: number;
}

interface Options {
  input?: string;
  env?: NodeJS.ProcessEnv;
  /** Milliseconds; 20 s if absent. */
  timeout?: number;
}

const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

/** Runs a program; a non-zero exit code is part of the answer. */
export function attempt(command: string, args: readonly string[], options: Options = {}): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      {
        env: { ...process.env, ...options.env, PATH, LC_ALL: "C" },
        timeout: (options.timeout ?? 20_000) * PATIENCE_FACTOR,
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== "number") {
          const why = error.killed ? "it did not end in time" : error.message;
          reject(new Error(`${command} ${args.join(" ")}: ${why}\n${stderr}`));
        } else resolve({ stdout, stderr, exitCode: error ? Number(error.code) : 0 });
      },
    );
    // Only the exit code matters if it does not read its input.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
  });
}

/** Runs a program that has to succeed and returns its standard output. */
export async function run(command: string, args: readonly string[], options: Options = {}): Promise<string> {
  const { stdout, stderr, exitCode } = await attempt(command, args, options);
  if (exitCode !== 0)
    throw new Error(`${command} ${args.join(" ")} ended with ${exitCode}:\n${options.input ?? ""}\n${stdout}${stderr}`);
  return stdout;
}

/** The arguments that run a command in a network namespace; `ip` replaces itself, so the process is the command's own. */
export function within(namespace: string, command: string, args: readonly string[]): string[] {
  return ["netns", "exec", namespace, command, ...args];
}

/** Several `ip` commands in one process, inside a namespace or ("") outside. */
export async function ip(namespace: string, lines: readonly string[]): Promise<void> {
  const where = namespace === "" ? [] : ["-n", namespace];
  await run("ip", [...where, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** For clean-up while the process ends: failures do not count. */
export function quietly(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, {
      env: { ...process.env, PATH },
      stdio: ["ignore", "pipe", "ignore"],
      encoding: "utf8",
    });
  } catch {
    return "";
  }
}
