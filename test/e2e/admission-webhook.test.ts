/** What a user is told when a TrafficControl is applied to a cluster with the operator in it, and what is written beside it. */
import assert from "node:assert/strict";
import { ANNOTATIONS, CONDITIONS, FINALIZER } from "@ovs-traffic-control/api";
import { mistakes, warnings } from "../../capabilities/admission";
import { denial, warningLines } from "../../capabilities/admission/review";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { EARLY, refusal } from "../support/e2e/refusal";
import { condition, mirror, readTap, TEST_LABEL, untap } from "../support/e2e/taps";
import { INVALID, manifest, VALID, WRONG_TYPES, type Case } from "../unit/admission/cases";

const NAME = "e2e-admission";

const kubectl = (args: string[], object?: object): Promise<string> =>
  stage().cluster.kubectl(args, object === undefined ? undefined : { input: JSON.stringify(object) });

function labelled(change: Case["change"] = {}): Record<string, unknown> {
  return { ...manifest({ title: "", change }), metadata: { name: NAME, labels: TEST_LABEL } };
}

describe("a TrafficControl that is wrong", () => {
  for (const given of [...INVALID, ...WRONG_TYPES])
    it(`with ${given.title} is refused by the early webhook, with all its mistakes`, async () => {
      const object = manifest(given, NAME);
      assert.equal(await refusal(object), EARLY + denial(mistakes(object)));
    });

  it("with an unknown field is refused by the API server itself, before any webhook", async () => {
    const object = manifest({ title: "", change: { returnport: {}, direction: "both" } }, NAME);
    assert.match((await refusal(object)) ?? "", /strict decoding error: unknown field "spec\.returnport"/);
  });

  it("reaches the user of kubectl line by line, with warnings", async () => {
    const object = labelled({ direction: "both", appliedTo: {}, targetPort: { vxlan: { remoteIP: "10.0.10.2/24" } } });
    const { stderr, exitCode } = await stage().cluster.host("kubectl", ["create", "-f", "-"], {
      input: JSON.stringify(object),
    });
    assert.notEqual(exitCode, 0);
    const lines = [
      ...warningLines(warnings(object)).map((line) => `Warning: ${line}`),
      ...denial(mistakes(object)).split("\n"),
    ];
    for (const line of lines) assert.ok(stderr.includes(line), `"${line}" is not in:\n${stderr}`);
    assert.equal(await readTap(stage().objects, NAME), undefined);
  });
});

describe("a TrafficControl that is right", () => {
  for (const given of VALID)
    it(`with ${given.title} is accepted`, async () => {
      assert.equal(await refusal(manifest(given, NAME)), undefined);
    });

  it("has its finalizer and its author from birth, and the spec that was written", async () => {
    const object = labelled();
    await kubectl(["apply", "-f", "-"], object);
    const { metadata, spec } = (await readTap(stage().objects, NAME))!;
    assert.ok(metadata.finalizers?.includes(FINALIZER));
    assert.equal(metadata.annotations?.[ANNOTATIONS.lastChangedBy], await whoAmI());
    assert.deepEqual(spec, object["spec"]);
  });

  it("is unchanged when it is applied again, by kubectl or by another field manager", async () => {
    await kubectl(["apply", "-f", "-"], labelled());
    assert.match(await kubectl(["apply", "-f", "-"], labelled()), /unchanged/);
    await kubectl(["apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-"], labelled());
    const after = (await readTap(stage().objects, NAME))!.metadata;
    assert.equal(after.generation, 1);
    assert.ok(after.finalizers?.includes(FINALIZER));
    assert.equal(after.annotations?.[ANNOTATIONS.lastChangedBy], await whoAmI());
    assert.equal((await kubectl(["diff", "-f", "-"], labelled())).trim(), "");
  });

  it("names who has changed its spec, and nobody for a label", async () => {
    await kubectl(["apply", "-f", "-"], labelled());
    const author = async (): Promise<string | undefined> =>
      (await readTap(stage().objects, NAME))?.metadata.annotations?.[ANNOTATIONS.lastChangedBy];
    const as = ["--as=alice", "--as-group=system:masters"];
    await kubectl(["label", "tc", NAME, "colour=red", ...as]);
    assert.equal(await author(), await whoAmI());
    await kubectl(["annotate", "--overwrite", "tc", NAME, `${ANNOTATIONS.lastChangedBy}=nobody`, ...as]);
    assert.equal(await author(), await whoAmI());
    await kubectl(["patch", "tc", NAME, "--type=merge", "-p", '{"spec":{"direction":"Egress"}}', ...as]);
    assert.equal(await author(), "alice");
  });

  it("is not stored, signed or anything else by a dry run", async () => {
    await kubectl(["create", "--dry-run=server", "-f", "-"], labelled());
    assert.equal(await readTap(stage().objects, NAME), undefined);
  });

  afterEach(() => untap(stage().objects, NAME));
});

describe("a TrafficControl beside another", () => {
  it("is refused if it makes a device of the other's internal port, and told whose port that is", async () => {
    await kubectl(["apply", "-f", "-"], labelled({ targetPort: { ovsInternal: { name: "e2e-shared" } } }));
    const other = manifest({ title: "", change: { targetPort: { device: { name: "e2e-shared" } } } }, "e2e-other");
    const said = await eventually("the admission Pods know the other", () => refusal(other));
    // A Pod that has not heard of the other yet leaves it to the validating webhook.
    assert.equal(
      said.replace('"validate.', '"early.'),
      `${EARLY}spec.targetPort.device.name: Forbidden: "e2e-shared" is an ovsInternal port in TrafficControl ${NAME} and cannot be a device as well (make it the same in both, or choose another)`,
    );
  });

  it("that contradicts it and comes at the same time is refused, or told that it is Conflicted: one is Ready", async () => {
    const { objects } = stage();
    const sides = ([1, 2] as const).map((version) => mirror(`e2e-side-${version}`, { erspan: { remoteIP, version } }));
    const applied = await Promise.allSettled(sides.map((side) => objects.apply(side)));
    const refusals = applied.flatMap((each) => (each.status === "rejected" ? [String(each.reason)] : []));
    for (const said of refusals) assert.match(said, /session 0 to .* is version \d.* in TrafficControl e2e-side-\d/);
    assert.ok(refusals.length < 2, "one of them at most");
    const state = async (type: string): Promise<string[]> => {
      const taps = await Promise.all(sides.map(({ metadata }) => readTap(objects, metadata.name!)));
      return taps.filter((each) => condition(each, type)?.status === "True").map((each) => each!.metadata.name!);
    };
    const [winner] = await eventually("one is Ready", async () => {
      const [ready, conflicted] = [await state(CONDITIONS.ready), await state(CONDITIONS.conflicted)];
      assert.ok(ready.length <= 1, "both are Ready");
      return ready.length === 1 && conflicted.length === 1 - refusals.length && [...ready, ...conflicted];
    });
    const loser = sides.find(({ metadata }) => metadata.name !== winner)!;
    const told = condition(await readTap(objects, loser.metadata.name!), CONDITIONS.conflicted);
    if (refusals.length === 0) assert.match(told?.message ?? "", new RegExp(winner!));
  });

  afterEach(() => untap(stage().objects, NAME));
});

describe("a tunnel to a node", () => {
  it("on a port that cluster networks use is warned of", async () => {
    const { cluster, web } = stage();
    const path = "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}";
    const remoteIP = await kubectl(["get", "node", web[0].node, "-o", path]);
    const input = JSON.stringify(labelled({ targetPort: { vxlan: { remoteIP } } }));
    const { stderr } = await cluster.host("kubectl", ["create", "--dry-run=server", "-f", "-"], { input });
    const expected = `Warning: spec.targetPort.vxlan.destinationPort 4789 is one that cluster networks use, and ${remoteIP} is the address of node ${web[0].node}`;
    assert.ok(stderr.includes(expected), stderr);
  });
});

async function whoAmI(): Promise<string> {
  const answer = JSON.parse(await kubectl(["auth", "whoami", "-o", "json"])) as {
    status: { userInfo: { username: string } };
  };
  return answer.status.userInfo.username;
}
