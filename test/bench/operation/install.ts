/**
 * From the first command of the README's installation to the first mirrored packet, on a cluster that is up and has the image on
 * its nodes. Started by main.ts inside the cluster's machine: install.ts CLUSTER IMAGE RUNS. Prints a Markdown table.
 */
import path from "node:path";
import { undeploy } from "../../../hack/deploy";
import { helm } from "../../../hack/deploy/helm";
import { wallClock } from "../../support/e2e/clock";
import { eventually } from "../../support/e2e/eventually";
import { Stage } from "../../support/e2e/stage";
import { mirror, ready, untap } from "../../support/e2e/taps";
import { PingStream } from "../../support/e2e/traffic";
import { table, type Measurement } from "../e2e/statistics";

const CHART = path.join(import.meta.dirname, "../../../charts/ovs-traffic-control");
const NAME = "ovs-traffic-control";
const PROBE_SECONDS = 0.002;
const CRDS = ["trafficcontrols.crd.antrea.io", "nodetrafficplans.ovs-traffic-control.dev", "peprstores.pepr.dev"];

const [clusterName, image = "", runs = "3"] = process.argv.slice(2);

/** Seconds of one installation, by what was reached. */
interface Installation {
  installed: number;
  copied: number;
  ready: number;
}

const stage = await Stage.setUp(clusterName);
try {
  const stream = await PingStream.start(stage.client, stage.web[0].address, PROBE_SECONDS);
  const found: Installation[] = [];
  for (let run = 1; run <= Number(runs); run++) {
    await remove();
    found.push(await install());
    console.error(`installation: ${run} of ${runs}, ${JSON.stringify(found.at(-1))}`);
  }
  await stream.stop();
  const of = (name: string, key: keyof Installation): Measurement => ({
    ...{ name: name, unit: "s", values: found.map((each) => each[key]) },
  });
  console.log(
    table([
      of("kubectl create namespace → helm install --wait has ended", "installed"),
      of("the same, then kubectl apply → first copy at the collector", "copied"),
      of("the same, until the status says Ready", "ready"),
    ]),
  );
} finally {
  await stage.tearDown();
}

/** As if it had never been there. */
async function remove(): Promise<void> {
  const { cluster } = stage;
  await undeploy(cluster);
  await cluster.kubectl(["delete", "crd", ...CRDS, "--ignore-not-found", "--timeout=60s"]);
  await cluster.kubectl(["delete", "namespace", "pepr-system", "--ignore-not-found", "--timeout=60s"]);
}

async function install(): Promise<Installation> {
  const { cluster, collector, objects, web } = stage;
  const metadata = { name: "web-1", namespace: stage.namespace, labels: { bench: "target" } };
  await objects.patch({ apiVersion: "v1", kind: "Pod", metadata });
  const capture = await collector.capture();
  try {
    const started = wallClock();
    await cluster.kubectl(["create", "namespace", NAME]);
    await cluster.kubectl(["label", "namespace", NAME, "pod-security.kubernetes.io/enforce=restricted"]);
    const separator = image.lastIndexOf(":");
    const values = [`image.repository=${image.slice(0, separator)}`, `image.tag=${image.slice(separator + 1)}`];
    const set = [...values, "image.pullPolicy=Never"].flatMap((value) => ["--set", value]);
    await helm(cluster, ["install", NAME, CHART, "--namespace", NAME, ...set, "--wait"]);
    const installed = wallClock();
    const tap = mirror(
      "bench",
      { vxlan: { remoteIP: collector.address } },
      { appliedTo: { podSelector: { matchLabels: { bench: "target" } } } },
    );
    await cluster.kubectl(["apply", "--filename", "-"], { input: JSON.stringify(tap) });
    const first = await eventually(`copies of ${web[0].address} arrive`, () => capture.records()[0], {
      ...{ seconds: 60, pauseMilliseconds: 10 },
    });
    await ready(objects, "bench", 1);
    const isReady = wallClock();
    await untap(objects, "bench");
    return { installed: installed - started, copied: first.time - started, ready: isReady - started };
  } finally {
    await capture.discard();
  }
}
