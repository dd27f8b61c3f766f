/** Plans as they arrive: from the Kubernetes API, from a file, and those that cannot be acted on. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { NodeTrafficPlan } from "../../../capabilities/api";
import { FilePlan, FileStatus } from "../../../packages/node-programmer/src/file-plan";
import { ApiError } from "../../../packages/node-programmer/src/kubernetes/api-server";
import { KubernetesPlan } from "../../../packages/node-programmer/src/kubernetes";
import { whyBadPlan } from "../../../packages/node-programmer/src/plan-check";
import { parseFdb } from "../../../packages/node-programmer/src/pods/fdb";

function plan(hash: string, version = "1"): NodeTrafficPlan {
  const spec = { nodeUID: "node-uid", hash, pods: [], rules: [], classes: [] };
  return { metadata: { name: "n1", resourceVersion: version }, spec };
}

const turn = (milliseconds = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !condition(); tries++) await turn();
  assert.ok(condition());
}

describe("a plan that cannot be acted on", () => {
  const good = plan("h");
  good.spec.rules = [
    {
      name: "web",
      uid: "u",
      generation: 1,
      direction: "Both",
      action: "Mirror",
      targetPort: { ovsInternal: { name: "t" } },
    },
  ];
  good.spec.classes = [{ rules: [0] }];
  good.spec.pods = [{ namespace: "d", name: "p", uid: "u", class: 0 }];
  const changed = (change: (copy: NodeTrafficPlan) => void): string | null => {
    const copy = structuredClone(good);
    change(copy);
    return whyBadPlan(copy, "node-uid");
  };

  it("is told from a good one", () => {
    assert.equal(whyBadPlan(good, "node-uid"), null);
    assert.equal(whyBadPlan(good, undefined), null);
  });

  it("is one for a node that was re-created under the same name", () => {
    assert.match(whyBadPlan(good, "other") ?? "", /node with UID node-uid, this one has other/);
  });

  it("points to what is not there", () => {
    assert.match(changed(({ spec }) => (spec.pods[0]!.class = 1)) ?? "", /Pod p has class 1, but there are 1/);
    assert.match(
      changed(({ spec }) => (spec.classes[0]!.rules = [0, 7])) ?? "",
      /class 0 names rule 7, but there are 1/,
    );
  });

  it("has a port of no kind, or of two, or no rules at all", () => {
    assert.match(changed(({ spec }) => (spec.rules[0]!.targetPort = {})) ?? "", /target port of TrafficControl web/);
    assert.match(changed(({ spec }) => (spec.rules[0]!.targetPort.device = { name: "x" })) ?? "", /target port/);
    assert.match(changed(({ spec }) => Reflect.deleteProperty(spec, "rules")) ?? "", /no hash, pods, rules/);
  });
});

/** An API server that plays a script: each list and each watch takes the next answer. */
class ScriptedApi {
  readonly paths: string[] = [];
  readonly patches: unknown[] = [];
  constructor(
    private readonly lists: (() => unknown)[],
    private readonly watches: ((onEvent: (event: { type: string; object: unknown }) => void) => Promise<void>)[],
  ) {}
  get(path: string): Promise<unknown> {
    this.paths.push(`list ${path}`);
    return Promise.resolve(this.lists.shift()?.() ?? { metadata: { resourceVersion: "0" }, items: [] });
  }
  watch(path: string, onEvent: (event: { type: string; object: unknown }) => void): Promise<void> {
    this.paths.push(`watch ${/resourceVersion=(\d+)/.exec(path)?.[1] ?? path}`);
    return this.watches.shift()?.(onEvent) ?? new Promise(() => undefined);
  }
  mergePatch(path: string, patch: unknown): Promise<unknown> {
    this.patches.push([path, patch]);
    return Promise.resolve({});
  }
  close(): void {
    this.paths.push("closed");
  }
}

const silent = (): void => undefined;
const list =
  (version: string, ...items: NodeTrafficPlan[]) =>
  () => ({ metadata: { resourceVersion: version }, items });

describe("the plan of a node in the Kubernetes API", () => {
  async function follow(api: ScriptedApi, hashes: (string | null)[]): Promise<KubernetesPlan> {
    const source = new KubernetesPlan(api, "n1", silent);
    await source.start((next) => hashes.push(next?.spec.hash ?? null));
    return source;
  }

  it("is listed by name, then watched from there; its deletion is no plan", async () => {
    const hashes: (string | null)[] = [];
    const api = new ScriptedApi(
      [list("5", plan("a", "5"))],
      [
        (onEvent) => {
          onEvent({ type: "MODIFIED", object: plan("b", "6") });
          onEvent({ type: "BOOKMARK", object: plan("", "9") });
          onEvent({ type: "DELETED", object: plan("b", "10") });
          return Promise.resolve();
        },
      ],
    );
    const source = await follow(api, hashes);
    await until(() => api.paths.length === 3);
    assert.deepEqual(hashes, ["a", "b", null]);
    assert.match(api.paths[0]!, /nodetrafficplans\?fieldSelector=metadata\.name%3Dn1$/);
    assert.deepEqual(api.paths.slice(1), ["watch 5", "watch 10"], "goes on from the last version seen");
    source.stop();
  });

  it("is null if there is none, and listed again when the version has become too old", async () => {
    const hashes: (string | null)[] = [];
    const expired = { type: "ERROR", object: { kind: "Status", code: 410, message: "too old resource version" } };
    const api = new ScriptedApi(
      [list("5"), list("20", plan("c", "20"))],
      [
        (onEvent) => {
          onEvent(expired);
          return Promise.resolve();
        },
        () => Promise.reject(new ApiError(410, "GET", "{}")),
      ],
    );
    const source = await follow(api, hashes);
    await until(() => api.paths.filter((each) => each.startsWith("list")).length === 3);
    assert.deepEqual(hashes, [null, "c", null]);
    source.stop();
  });

  it("is tried again after an error, with the words of the error in the log", async () => {
    const lines: string[] = [];
    const api = new ScriptedApi(
      [
        () => {
          throw new Error("connect ECONNREFUSED");
        },
        list("7", plan("d", "7")),
      ],
      [],
    );
    const hashes: (string | null)[] = [];
    const source = new KubernetesPlan(api, "n1", (_level, message) => lines.push(message));
    await source.start((next) => hashes.push(next?.spec.hash ?? null));
    assert.deepEqual(hashes, ["d"]);
    assert.match(lines[0]!, /cannot be followed: connect ECONNREFUSED/);
    source.stop();
  });

  it("gets its status by a merge that removes what is not said any more; a plan that is gone is no error", async () => {
    const api = new ScriptedApi([], []);
    const sink = new KubernetesPlan(api, "n1", silent);
    await sink.write({ observedHash: "h", realizedPods: 2 });
    assert.deepEqual(api.patches, [
      [
        "/apis/ovs-traffic-control.dev/v1alpha1/nodetrafficplans/n1/status",
        {
          status: {
            observedHash: "h",
            realizedPods: 2,
            repairs: null,
            bridges: null,
            ports: null,
            rules: null,
            conditions: null,
          },
        },
      ],
    ]);
    api.mergePatch = () => Promise.reject(new ApiError(404, "PATCH", "{}"));
    await sink.write({});
    api.mergePatch = () => Promise.reject(new ApiError(500, "PATCH", '{"message":"etcd is down"}'));
    await assert.rejects(sink.write({}), /500 etcd is down/);
  });
});

describe("a plan in a file", () => {
  it("is followed through replacement and removal; half of one is not a plan", async () => {
    const directory = mkdtempSync(path.join(tmpdir(), "plan-"));
    const file = path.join(directory, "plan.json");
    const put = (text: string): void => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    };
    const hashes: (string | null)[] = [];
    const source = new FilePlan(file);
    try {
      put(JSON.stringify(plan("a")));
      await source.start((next) => hashes.push(next?.spec.hash ?? null));
      put('{"spec":');
      await turn(20);
      put(JSON.stringify(plan("b")));
      await until(() => hashes.length === 2);
      rmSync(file);
      await until(() => hashes.length === 3);
      assert.deepEqual(hashes, ["a", "b", null]);
      await new FileStatus(path.join(directory, "status.json")).write({ realizedPods: 1 });
      assert.deepEqual(JSON.parse(readFileSync(path.join(directory, "status.json"), "utf8")), { realizedPods: 1 });
    } finally {
      source.stop();
      rmSync(directory, { recursive: true });
    }
  });
});

describe("a plan in a file that is replaced while it is read", () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "plan-"));
    file = path.join(directory, "plan.json");
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });
  const put = (hash: string): void => {
    writeFileSync(`${file}.new`, JSON.stringify(plan(hash)));
    renameSync(`${file}.new`, file);
  };
  /** A source whose read of plan b takes until `release`. */
  async function following(): Promise<{
    source: FilePlan;
    hashes: unknown[];
    begun: () => boolean;
    release: () => void;
  }> {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let begun = false;
    const hashes: unknown[] = [];
    const source = new FilePlan(file, async (name) => {
      const text = readFileSync(name, "utf8");
      if (!text.includes('"hash":"b"')) return text;
      begun = true;
      await held;
      return text;
    });
    put("a");
    await source.start((next) => hashes.push(next?.spec.hash));
    return { source, hashes, begun: () => begun, release };
  }

  it("is delivered in the order of the replacements: the last one stays", async () => {
    const { source, hashes, begun, release } = await following();
    put("b");
    await until(begun);
    put("c");
    await turn(50);
    release();
    await until(() => hashes.includes("c"));
    await turn(20);
    source.stop();
    assert.equal(hashes.at(-1), "c");
  });

  it("is not delivered after stop", async () => {
    const { source, hashes, begun, release } = await following();
    put("b");
    await until(begun);
    source.stop();
    release();
    await turn(20);
    assert.deepEqual(hashes, ["a"]);
  });
});

describe("what a bridge has learned", () => {
  it("is read from fdb/show, port by port", () => {
    const text = ` port  VLAN  MAC                Age
    1     0  0a:00:00:00:00:0c    2
    2     0  0a:00:00:00:00:0b    1
    2   100  0A:00:00:00:00:0D    static
LOCAL     0  de:ad:be:ef:00:01    5
`;
    assert.deepEqual(
      [...parseFdb(text)],
      [
        [1, ["0a:00:00:00:00:0c"]],
        [2, ["0a:00:00:00:00:0b", "0a:00:00:00:00:0d"]],
      ],
    );
  });
});
