/** CPU time of a process from /proc (proc(5)). Used by the sections. */
import { readFileSync } from "node:fs";

/** USER_HZ, which Linux has fixed for programs. */
const TICKS_PER_SECOND = 100;

/** Seconds of user and system time so far, on request with those of its children that have ended. */
export function cpuSeconds(pid: number, withChildren = false): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, withChildren ? 15 : 13).map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND;
}
