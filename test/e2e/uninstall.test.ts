/**
 * helm uninstall on a cluster that taps: the drain (capabilities/drain.ts) and what the release leaves behind. Installs the
 * operator again as it was, for the tests that follow.
 */
import assert from "node:assert/strict";
import { REASONS, type TrafficControl } from "@ovs-traffic-control/api";
import { helm as helmBinary } from "../../hack/toolchain";
import { deploy } from "../../hack/deploy";
import type { BridgeState } from "../support/e2e/bridges";
import { COLLECTOR_ADDRESS } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { condition, mirror, readTap, tap } from "../support/e2e/taps";

const NAMESPACE = "ovs-traffic-control";
const TAP = "e2e-uninstall";

interface Listed {
  kind: string;
  metadata: { name: string; deletionTimestamp?: string; annotations?: Record<string, string> };
}

/** What changes with any port: their list, and OVN's note of their zones of connection tracking. */
const OF_ALL_PORTS = /Bridge "br-int" (ports|external_ids)=/;
/** OVN's cookies have 32 bits, ours 64. */
const OVN_FLOW = / br-int dump-flows: cookie=0x[0-9a-f]{1,8},/;

describe("helm uninstall, while a TrafficControl is in force", () => {
  let untouched: BridgeState[] = [];
  let left: TrafficControl | undefined;
  let refusal = "";
  let operatorPods: string[] = [];

  before(async () => {
    const { objects } = stage();
    // What programmers of earlier tests have left is gone by the time this asks.
    untouched = await stage().bridges();
    const uids = ["get", "pods", "--namespace", NAMESPACE, "-o", "jsonpath={.items[*].metadata.uid}"];
    operatorPods = (await stage().cluster.kubectl(uids)).split(" ");
    await tap(objects, mirror(TAP, { vxlan: { remoteIP: COLLECTOR_ADDRESS } }));
    assert.notDeepEqual(await stage().bridgeDifferences(untouched), [], "the bridges are tapped");
    [refusal] = await Promise.all([refusedCreation(), uninstall()]);
    left = await readTap(objects, TAP);
  });

  // The root hook deletes the TrafficControl after each test of this suite, which it can only do while it has no finalizer;
  // everything that is asserted about it was therefore read above.
  after(async () => {
    await deploy(stage().cluster);
  });

  it("leaves the bridge of every node as it was before, without the ports of its own Pods", async () => {
    const ports = untouched.flat().flatMap((fact) => {
      const [, port, ids = ""] = /(?:Port|Interface) "(\S+)" external_ids=(.*)/.exec(fact) ?? [];
      return port !== undefined && operatorPods.some((uid) => ids.includes(uid)) ? [port] : [];
    });
    assert.ok(ports.length > 0, "the operator's Pods hang on the bridge");
    const onOvn = stage().cluster.network === "ovn";
    const isOfAll = (line: string): boolean => OF_ALL_PORTS.test(line) || (onOvn && OVN_FLOW.test(line));
    const isOfPods = (line: string): boolean => ports.some((port) => line.includes(port)) || isOfAll(line);
    const differences = await stage().bridgeDifferences(untouched);
    assert.deepEqual(
      differences.filter((line) => !isOfPods(line)),
      [],
    );
    assert.deepEqual(
      differences.filter((line) => / \+ /.test(line) && !isOfAll(line)),
      [],
      "nothing has come",
    );
  });

  it("leaves the TrafficControl, without our finalizer, and its status says that nothing is tapped", () => {
    assert.deepEqual(left?.metadata.finalizers ?? [], []);
    assert.equal(left?.metadata.deletionTimestamp, undefined);
    assert.equal(condition(left, "Ready")?.reason, REASONS.operatorUninstalled);
  });

  it("has refused a new TrafficControl while it drained", () => {
    assert.match(refusal, /is being uninstalled/);
  });

  it("leaves nothing of the release, and nothing that is Terminating for ever", async () => {
    const kinds = [
      "deployments,services,configmaps,jobs,pods,poddisruptionbudgets,networkpolicies,nodetrafficplans",
      "validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles,clusterrolebindings",
      "validatingwebhookconfigurations,mutatingwebhookconfigurations,namespaces,trafficcontrols",
    ].join(",");
    await eventually(
      "the release is gone",
      async () => {
        const { items } = JSON.parse(
          await stage().cluster.kubectl(["get", kinds, "--all-namespaces", "--output", "json"]),
        ) as { items: Listed[] };
        const found = items.filter(({ metadata, kind }) => {
          const isOurs = metadata.annotations?.["meta.helm.sh/release-namespace"] === NAMESPACE;
          const isKept = metadata.annotations?.["helm.sh/resource-policy"] === "keep";
          return (isOurs && !isKept) || metadata.deletionTimestamp !== undefined || kind === "NodeTrafficPlan";
        });
        assert.deepEqual(
          found.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
          [],
        );
        return true;
      },
      { seconds: 60 },
    );
  });
});

async function uninstall(): Promise<void> {
  const args = ["uninstall", "ovs-traffic-control", "--namespace", NAMESPACE, "--timeout", "4m"];
  const { stdout, stderr, exitCode } = await stage().cluster.host(await helmBinary(), args);
  if (exitCode !== 0) throw new Error(`helm ${args.join(" ")} ended with ${exitCode}: ${stdout}${stderr}`);
}

/** What the API server says to a new TrafficControl (a dry run), from the moment in which it refuses one. */
function refusedCreation(): Promise<string> {
  const input = JSON.stringify(mirror("e2e-late", { vxlan: { remoteIP: COLLECTOR_ADDRESS } }));
  return eventually(
    "a new TrafficControl is refused",
    async () => {
      const create = ["create", "--dry-run=server", "-f", "-"];
      const { exitCode, stderr } = await stage().cluster.host("kubectl", create, { input });
      return exitCode !== 0 && !stderr.includes("failed calling webhook") && stderr;
    },
    { seconds: 120 },
  );
}
