/** How a process is recognized. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { killAll, startTime } from "../../../hack/cluster/programs";

describe("a process", () => {
  it("has a start time that stays the same, and none when it has ended", async () => {
    const child = spawn("sleep", ["60"]);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const started = startTime(child.pid!);
    assert.match(started ?? "", /^\d+$/);
    await sleep(20);
    assert.equal(startTime(child.pid!), started);
    await killAll([child.pid!]);
    assert.equal(startTime(child.pid!), undefined);
    await ended;
  });

  it("is told from a later one with another start time", async () => {
    const first = spawn("sleep", ["60"]);
    await sleep(30); // clock ticks are 10 ms
    const second = spawn("sleep", ["60"]);
    assert.notEqual(startTime(first.pid!), startTime(second.pid!));
    await killAll([first.pid!, second.pid!]);
  });
});
