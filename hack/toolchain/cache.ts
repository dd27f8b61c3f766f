/**
 * The cache of built tools, outside the checkout: one folder per tool, version and recipe. A folder that has its final
 * name is complete: it is built under another name and renamed, behind a lock.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { withLock } from "./lock";

/** Told what is being done, a short sentence at a time. */
export type Progress = (text: string) => void;

export interface CachedTool {
  tool: string;
  version: string;
  /** Everything that shapes the result beside the version (command lines, inputs): a change makes a new folder. */
  recipe: string;
  /** Fills the empty folder `into`. `scratch` is a folder for intermediate files, removed afterwards. */
  build: (into: string, scratch: string, progress: Progress) => Promise<void>;
}

export function cacheDirectory(): string {
  const base = process.env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache");
  return path.join(base, "ovs-traffic-control");
}

/** Where the tool is or will be. */
export function cachedPath({ tool, version, recipe }: Pick<CachedTool, "tool" | "version" | "recipe">): string {
  const hash = createHash("sha256").update(recipe).digest("hex").slice(0, 8);
  return path.join(cacheDirectory(), `${tool}-${version}-${process.platform}-${process.arch}-${hash}`);
}

/** The folder of the tool, built now if it is not there yet. */
export async function cached(tool: CachedTool, progress: Progress = () => undefined): Promise<string> {
  const directory = cachedPath(tool);
  if (existsSync(directory)) return directory;
  const onWait = (holder: string): void =>
    progress(`waiting for the build of ${tool.tool} ${tool.version} in process ${holder}`);
  return withLock(`${directory}.lock`, { onWait }, async () => {
    if (existsSync(directory)) return directory;
    await removeHalfDone(directory);
    const partial = `${directory}.partial-${process.pid}`;
    const scratch = `${directory}.scratch-${process.pid}`;
    try {
      await mkdir(partial, { recursive: true });
      await mkdir(scratch, { recursive: true });
      await tool.build(partial, scratch, progress);
      await rename(partial, directory);
    } finally {
      await rm(partial, { recursive: true, force: true });
      await rm(scratch, { recursive: true, force: true });
    }
    return directory;
  });
}

/** What killed builds have left. Nobody else is building: the caller holds the lock. */
async function removeHalfDone(directory: string): Promise<void> {
  const name = path.basename(directory);
  for (const entry of await readdir(path.dirname(directory)))
    if (entry.startsWith(`${name}.partial-`) || entry.startsWith(`${name}.scratch-`))
      await rm(path.join(path.dirname(directory), entry), { recursive: true, force: true });
}
