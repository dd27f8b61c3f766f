import assert from "node:assert/strict";
import { EXIT, REASONS } from "../../../capabilities/api";
import {
  jobFacts,
  outcomeOf,
  programmerPodFacts,
  Restarts,
  retryDelay,
  type JobFacts,
  type Outcome,
  type ProgrammerPodFacts,
} from "../../../capabilities/delivery";
import { complaintOf } from "../../../capabilities/delivery/outcome";
import { VirtualClock } from "../engine/virtual-clock";

const FAILED: JobFacts = {
  name: "j",
  node: "n",
  uid: "u",
  templateHash: "",
  createdAt: "",
  started: true,
  deleting: false,
  state: "failed",
  message: "BackoffLimitExceeded",
};
const exited = (code: number, message = ""): ProgrammerPodFacts => ({
  job: "j",
  createdAt: "",
  exit: { code, reason: "Error", message },
});

describe("outcomeOf", () => {
  for (const [what, job, pod, result, reason] of [
    ["success", { ...FAILED, state: "succeeded" }, undefined, "done", REASONS.programmerFailed],
    ["exit code 64", FAILED, exited(EXIT.badPlan), "badPlan", REASONS.programmerFailed],
    ["exit code 65", FAILED, exited(EXIT.podsPending), "podsPending", REASONS.podsPending],
    ["exit code 69", FAILED, exited(EXIT.ovsUnreachable), "ovsUnreachable", REASONS.ovsUnreachable],
    ["exit code 70", FAILED, exited(EXIT.bug), "bug", REASONS.programmerFailed],
    ["exit code 77", FAILED, exited(EXIT.superseded), "superseded", REASONS.programmerFailed],
    ["exit code 137, killed for its memory", FAILED, exited(137), "bug", REASONS.programmerFailed],
    ["an eviction, without any container", FAILED, exited(-1), "lost", REASONS.programmerFailed],
    ["a Pod that is gone", FAILED, undefined, "lost", REASONS.programmerFailed],
  ] as [string, JobFacts, ProgrammerPodFacts | undefined, string, string][]) {
    it(`takes ${what} for ${result}`, () => {
      const outcome = outcomeOf(job, pod);
      assert.deepEqual([outcome.result, outcome.reason], [result, reason]);
    });
  }

  it("says what the process died of: the last line of its log", () => {
    const { message } = outcomeOf(FAILED, exited(69, "starting\n/run/openvswitch/db.sock: no such file\n"));
    assert.equal(message, "Open vSwitch does not answer on the node: /run/openvswitch/db.sock: no such file");
  });
});

describe("the programmer's last words", () => {
  it("are read from its JSON, problems before anything else", () => {
    const line = { message: "nothing to change: 1 of 2 Pods", problems: ["no port", "no route"] };
    const { message } = outcomeOf(FAILED, exited(65, `{"message":"before"}\n${JSON.stringify(line)}\n`));
    assert.equal(message, "The node programmer ended with Pods pending: no port; no route");
  });

  it("are the message if there are no problems", () => {
    assert.match(outcomeOf(FAILED, exited(70, '{"level":"error","message":"a bug: x"}')).message, /crashed: a bug: x$/);
  });
});

describe("programmerPodFacts", () => {
  const metadata = { name: "p", uid: "u", resourceVersion: "1", creationTimestamp: "t", labels: { "job-name": "j" } };

  it("reads the exit code from the container", () => {
    const state = { terminated: { exitCode: 69, reason: "Error", message: "no" } };
    assert.deepEqual(
      programmerPodFacts({ metadata, status: { phase: "Failed", containerStatuses: [{ state }] } }).exit,
      {
        code: 69,
        reason: "Error",
        message: "no",
      },
    );
  });

  it("takes an evicted Pod for lost", () => {
    const { exit } = programmerPodFacts({
      metadata,
      status: { phase: "Failed", reason: "Evicted", message: "disk pressure" },
    });
    assert.deepEqual(exit, { code: -1, reason: "Evicted", message: "disk pressure" });
  });

  it("does not complain about a container that is being created", () => {
    const state = { waiting: { reason: "ContainerCreating" } };
    const facts = programmerPodFacts({ metadata, status: { phase: "Pending", containerStatuses: [{ state }] } });
    assert.equal(complaintOf(facts), undefined);
  });

  it("complains about an image that cannot be had, and about a Pod that fits nowhere", () => {
    const state = { waiting: { reason: "ImagePullBackOff", message: "not found" } };
    const pulling = programmerPodFacts({ metadata, status: { phase: "Pending", containerStatuses: [{ state }] } });
    assert.match(complaintOf(pulling)?.message ?? "", /does not start: ImagePullBackOff: not found/);
    const conditions = [
      { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes are available" },
    ];
    assert.match(
      complaintOf(programmerPodFacts({ metadata, status: { phase: "Pending", conditions } }))?.message ?? "",
      /0\/3 nodes/,
    );
  });
});

describe("jobFacts", () => {
  const metadata = { name: "j", uid: "u", resourceVersion: "1" };
  for (const [conditions, state] of [
    [[], "active"],
    [[{ type: "FailureTarget", status: "True" }], "active"],
    [[{ type: "Failed", status: "True", message: "m" }], "failed"],
    [[{ type: "SuccessCriteriaMet", status: "True" }], "active"],
    [[{ type: "Complete", status: "True" }], "succeeded"],
  ] as const) {
    it(`takes a Job with ${conditions[0]?.type ?? "no condition"} for ${state}: until the end its Pod may still run`, () => {
      assert.equal(jobFacts({ metadata, status: { conditions: [...conditions] } }).state, state);
    });
  }
});

describe("retryDelay", () => {
  const outcome = (result: Outcome["result"]): Outcome => ({ result, reason: "", message: "" });
  const delays = (result: Outcome["result"]): number[] =>
    [1, 2, 3, 20].map((failures) => retryDelay(outcome(result), failures, () => 0.5));

  it("doubles up to a maximum that depends on what has happened", () => {
    assert.deepEqual(delays("ovsUnreachable"), [1_000, 2_000, 4_000, 30_000]);
    assert.deepEqual(delays("badPlan"), [5_000, 10_000, 20_000, 600_000]);
  });

  it("is nothing after no failure", () => assert.equal(retryDelay(outcome("bug"), 0), 0));
});

describe("Restarts", () => {
  const bug: Outcome = { result: "bug", reason: REASONS.programmerFailed, message: "crashed" };

  it("counts each Job once, however often it is seen", () => {
    const restarts = new Restarts(new VirtualClock());
    assert.deepEqual(
      [restarts.finished("n", "job-1", bug, "h"), restarts.finished("n", "job-1", bug, "h")],
      [true, false],
    );
    assert.equal(restarts.failure("n")?.failures, 1);
  });

  it("lets a node wait after a failure, each time longer", async () => {
    const clock = new VirtualClock();
    const restarts = new Restarts(clock);
    restarts.finished("n", "job-1", bug, "h");
    const first = restarts.remaining("n", "h");
    assert.ok(first >= 800 && first <= 1_200);
    await clock.advance(first);
    assert.ok(restarts.remaining("n", "h") <= 0);
    restarts.finished("n", "job-2", bug, "h");
    assert.ok(restarts.remaining("n", "h") > first);
  });

  it("forgets failures when the node has confirmed a plan, or when a programmer has run for long", async () => {
    const clock = new VirtualClock();
    const restarts = new Restarts(clock);
    restarts.finished("n", "job-1", bug, "h");
    restarts.succeeded("n");
    assert.equal(restarts.failure("n"), undefined);
    restarts.finished("n", "job-2", bug, "h");
    assert.equal(restarts.failure("n")?.failures, 1);
    restarts.started("n");
    await clock.advance(3_600_000);
    restarts.finished("n", "job-3", bug, "h");
    assert.equal(restarts.failure("n")?.failures, 0);
    assert.ok(restarts.remaining("n", "h") <= 0);
  });

  it("does not wait with another plan for what could not read the last one", () => {
    const restarts = new Restarts(new VirtualClock());
    restarts.finished("n", "job-1", { ...bug, result: "badPlan" }, "h");
    assert.ok(restarts.remaining("n", "h") > 0);
    assert.ok(restarts.remaining("n", "another") <= 0);
  });
});
