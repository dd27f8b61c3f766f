/**
 * A lock between processes, held through flock(1): the kernel releases it when its holder ends, however it ends. Used for
 * the builds of the cache and for `up` and `down` of one cluster.
 */
import { spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

export interface LockOptions {
  /** Called once if somebody else holds the lock, with the process id that the holder noted. */
  onWait?: (holder: string) => void;
}

/** Runs `work` while this process alone holds the lock on `file`. */
export async function withLock<T>(file: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const release = await acquire(file, options);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function acquire(file: string, { onWait }: LockOptions): Promise<() => Promise<void>> {
  await mkdir(path.dirname(file), { recursive: true });
  // `cat` ends when its standard input closes, that is when this process releases the lock or dies. Its own session keeps
  // a Ctrl-C on the terminal from releasing the lock before the clean-up is done.
  const holder = spawn("flock", ["--exclusive", file, "sh", "-c", "echo locked; exec cat"], {
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  let stderr = "";
  holder.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const waiting = setTimeout(() => {
    void readFile(file, "utf8").then(
      (text) => onWait?.(text.trim() || "unknown"),
      () => onWait?.("unknown"),
    );
  }, 200);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once("error", (error) => reject(new Error(`flock ${file}: ${error.message}`)));
      holder.once("exit", (code) => reject(new Error(`flock ${file} ended with ${String(code)}: ${stderr.trim()}`)));
      holder.stdout.once("data", () => resolve());
    });
  } finally {
    clearTimeout(waiting);
  }
  holder.removeAllListeners("exit");
  const ended = new Promise<void>((resolve) => holder.once("exit", () => resolve()));
  await writeFile(file, `${process.pid}\n`);
  holder.unref();
  return () => {
    holder.ref();
    holder.stdin.end();
    return ended;
  };
}
