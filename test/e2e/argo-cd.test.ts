/**
 * The chart and TrafficControls by a real Argo CD, from a git repository: what docs/guide/argo-cd.md says. The tests are one
 * story and depend on each other. At the end the operator is helm's again, for the tests that follow.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { TrafficControl } from "@ovs-traffic-control/api";
import { deploy } from "../../hack/deploy";
import { helm } from "../../hack/deploy/helm";
import { Application, healthOf, Repository, type ApplicationState, type Health } from "../support/e2e/applications";
import { ARGO_NAMESPACE, ArgoCd } from "../support/e2e/argo-cd";
import type { BridgeState } from "../support/e2e/bridges";
import { COLLECTOR_ADDRESS } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { CONTROLLER, OPERATOR_NAMESPACE as NAMESPACE, podsOf } from "../support/e2e/operator";
import { condition, mirror, readTap, tapReference } from "../support/e2e/taps";
import { slow } from "../support/slow";

const ROOT = path.join(import.meta.dirname, "../..");
const CONTRIBUTION = "contrib/argo-cd/resource_customizations/crd.antrea.io/TrafficControl/health.lua";
const [ONE, TWO, THREE, FOUR] = ["one", "two", "three", "four"].map((name) => `e2e-argo-${name}`) as [
  string,
  string,
  string,
  string,
];

describe("Argo CD", () => {
  let argo: ArgoCd | undefined;
  let repository: Repository;
  let [operator, taps, later] = [] as unknown as [Application, Application, Application];
  let untouched: BridgeState[] = [];

  before(async function () {
    this.timeout(120_000);
    const { cluster, objects } = stage();
    const health = readFileSync(path.join(ROOT, CONTRIBUTION), "utf8");
    const [values, started] = await Promise.all([
      helm(cluster, ["get", "values", NAMESPACE, "--namespace", NAMESPACE, "--output", "json"]),
      ArgoCd.start(cluster, { "resource.customizations.health.crd.antrea.io_TrafficControl": health }),
    ]);
    argo = started;
    repository = await Repository.create();
    await repository.copy(ROOT, "charts", "crds");
    await repository.commit({ "taps/one.json": tapOf(ONE, 0), "taps/two.json": tapOf(TWO, 1) });
    await repository.commit({ "later/three.json": tapOf(THREE, 0), "later/four.json": tapOf(FOUR, 1) });
    const of = (name: string, folder: string, more: object = {}): Application =>
      new Application(objects, { name, repository, path: folder, namespace: NAMESPACE, ...more });
    operator = of(NAMESPACE, "charts/ovs-traffic-control", { values: JSON.parse(values) as object });
    [taps, later] = [of("taps", "taps"), of("later", "later")];
    untouched = await stage().bridges();
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") console.error(argo?.tail);
  });

  after(async function () {
    this.timeout(120_000);
    const { cluster } = stage();
    // From here on the operator is helm's again. While it is there, the TrafficControls go.
    await operator.abandon();
    await deploy(cluster);
    await Promise.all([taps.deleted(), later.deleted()]);
    await argo?.stop();
    await repository.remove();
    await cluster.kubectl(["delete", "namespace", ARGO_NAMESPACE, "--wait=false"]);
    await cluster.kubectl(["delete", "crd", "applications.argoproj.io", "appprojects.argoproj.io", "--wait=false"]);
  });

  it("takes over what helm has installed, and runs no hook that it does not know", async () => {
    await operator.apply();
    await operator.inSync();
    const drain = ["get", "jobs,validatingadmissionpolicies", "--all-namespaces", "--output", "name"];
    assert.doesNotMatch(await stage().cluster.kubectl(drain), /drain/);
  });

  it("shows Healthy once the TrafficControls are in force", async () => {
    await taps.apply();
    await taps.inSync();
    assert.match((await healthBecomes(taps, ONE, { status: "Healthy" })).message ?? "", /2 nodes/);
    assert.notDeepEqual(await stage().bridgeDifferences(untouched), [], "the bridges are tapped");
  });

  it("shows Degraded with the reason when somebody has to act, and Healthy when it is mended in git", async () => {
    await push({ "taps/one.json": tapOf(ONE, 0, { device: { name: "e2e-missing" } }) });
    assert.match((await healthBecomes(taps, ONE, { status: "Degraded" })).message ?? "", /e2e-missing/);
    await taps.shows("it is Degraded", ({ status }) => status?.health?.status === "Degraded");
    await push({ "taps/one.json": tapOf(ONE, 0) });
    await taps.inSync();
  });

  for (const serverSideDiff of [false, true])
    it(`sees no difference that nobody has made, ${serverSideDiff ? "with Server-Side Diff" : "with its own comparison"}`, async () => {
      for (const application of [operator, taps]) {
        await application.apply({ serverSideDiff });
        const before = (await application.inSync()).status?.history?.length;
        const { status } = await application.refreshed("hard");
        assert.deepEqual([status?.sync?.status, status?.history?.length], ["Synced", before], application.name);
      }
    });

  it("cannot even compare a manifest that is refused, with Server-Side Diff, and says why", async () => {
    await push({ "taps/one.json": redirectWithoutReturn("first") });
    const state = await taps.shows("it cannot compare", (found) => said(found, "ComparisonError") !== "");
    assert.match(said(state, "ComparisonError"), /returnPort/);
    assert.equal(state.status?.sync?.status, "Unknown");
  });

  it("shows a refused manifest as the error of its sync, with its own comparison", async () => {
    await taps.apply();
    await push({ "taps/one.json": redirectWithoutReturn("second") });
    // Syncs of the commit before may still fail for the reason of the test before.
    const resource = ({ status }: ApplicationState): { status: string; message: string } | undefined =>
      status?.operationState?.syncResult?.resources?.find(({ name }) => name === ONE);
    const hasFailed = (found: ApplicationState): boolean =>
      found.status?.operationState?.phase === "Failed" && resource(found)?.status === "SyncFailed";
    const state = await taps.shows("the sync fails", hasFailed);
    assert.match(resource(state)?.message ?? "", /returnPort/);
    assert.equal((await readTap(stage().objects, ONE))?.spec.action, "Mirror", "what was in force stays");
    await push({ "taps/one.json": tapOf(ONE, 0) });
    await taps.inSync();
  });

  it("undoes a change that somebody has made by hand", async () => {
    const { objects } = stage();
    await objects.patch({ ...tapReference(ONE), spec: { direction: "Ingress" } });
    const isUndone = async (): Promise<boolean> => (await readTap(objects, ONE))?.spec.direction === "Both";
    await eventually("the change is undone", isUndone, { seconds: 60 });
    await taps.inSync();
  });

  it("prunes: the TrafficControl is gone when no node taps for it any more", async () => {
    await push({ "taps/two.json": undefined });
    await gone(TWO);
    const { status } = await taps.inSync();
    assert.deepEqual(
      status?.resources?.map(({ name }) => name),
      [ONE],
    );
  });

  it("deletes the TrafficControls first, and every bridge is as it was before", async () => {
    await taps.deleted();
    assert.equal(await readTap(stage().objects, ONE), undefined);
    assert.deepEqual(await stage().bridgeDifferences(untouched), []);
  });

  slow("leaves TrafficControls Terminating when the operator goes first", async () => {
    const { objects } = stage();
    await taps.apply();
    await taps.inSync();
    await operator.deleted();
    await eventually("no controller runs", async () => (await podsOf(objects, CONTROLLER)) === 0, { seconds: 60 });
    await taps.delete();
    const isGoing = async (): Promise<boolean> =>
      (await readTap(objects, ONE))?.metadata.deletionTimestamp !== undefined;
    await eventually("it is being deleted", isGoing, { seconds: 60 });
    assert.ok((await readTap(objects, ONE))?.metadata.finalizers?.length, "nobody answers the finalizer");
  });

  slow("shows Progressing while there is no operator, and keeps the next wave back", async () => {
    await later.apply();
    const { status } = await later.shows("it waits for the first wave", (found) =>
      (found.status?.operationState?.message ?? "").includes("waiting for healthy state"),
    );
    assert.ok(status?.operationState?.message?.includes(`TrafficControl/${THREE}`), status?.operationState?.message);
    await healthBecomes(later, THREE, { status: "Progressing", message: "Waiting for ovs-traffic-control to report" });
    assert.equal(await readTap(stage().objects, FOUR), undefined);
  });

  slow(
    "installs the operator from the chart, which finishes what is Terminating and what is Progressing",
    async function () {
      this.timeout(180_000);
      await operator.apply();
      await operator.inSync(120);
      await gone(ONE);
      await taps.deleted();
      await later.inSync();
      const [three, four] = await Promise.all([THREE, FOUR].map((name) => readTap(stage().objects, name)));
      const realized = condition(three, "Ready")?.lastTransitionTime ?? "never";
      assert.ok(Date.parse(four?.metadata.creationTimestamp ?? "") >= Date.parse(realized), "one wave after the other");
      await later.deleted();
    },
  );

  async function gone(name: string): Promise<void> {
    const isGone = async (): Promise<boolean> => (await readTap(stage().objects, name)) === undefined;
    await eventually(`${name} is gone`, isGone, { seconds: 90 });
  }

  async function push(files: Record<string, object | undefined>): Promise<void> {
    await repository.commit(files);
    await taps.refresh();
  }

  async function healthBecomes(application: Application, name: string, wanted: Health): Promise<Health> {
    const found = (state: ApplicationState): Health | undefined => healthOf(state, "TrafficControl", name);
    const matches = (health: Health | undefined): boolean =>
      health?.status === wanted.status && (wanted.message === undefined || health?.message === wanted.message);
    return found(await application.shows(`${name} is ${wanted.status ?? ""}`, (state) => matches(found(state))))!;
  }
});

function tapOf(
  name: string,
  wave: number,
  targetPort: TrafficControl["spec"]["targetPort"] = { vxlan: { remoteIP: COLLECTOR_ADDRESS, vni: 7 } },
): object {
  const { spec, ...rest } = mirror(name, targetPort);
  return { ...rest, metadata: { name, annotations: { "argocd.argoproj.io/sync-wave": String(wave) } }, spec };
}

/** @param label makes it another commit */
function redirectWithoutReturn(label: string): object {
  const manifest = tapOf(ONE, 0) as { metadata: object; spec: object };
  return {
    ...manifest,
    metadata: { ...manifest.metadata, labels: { attempt: label } },
    spec: { ...manifest.spec, action: "Redirect" },
  };
}

function said({ status }: ApplicationState, type: string): string {
  return status?.conditions?.find((each) => each.type === type)?.message ?? "";
}
