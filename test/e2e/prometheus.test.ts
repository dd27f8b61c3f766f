/** Alerts and dashboard with a real Prometheus that scrapes the operator; the alerts' defaults are tested by promtool. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { parse } from "yaml";
import { helm } from "../../hack/deploy/helm";
import { COLLECTOR_ADDRESS } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { Prometheus } from "../support/e2e/prometheus";
import { mirror, ready, tap, untap } from "../support/e2e/taps";

const CHART = path.join(import.meta.dirname, "../../charts/ovs-traffic-control");
const ROLE = "ovs-traffic-control-controller";
const DEVICE = "e2e-alert0";
const SECONDS = 90;

describe("the alerts", () => {
  it("fire when they should and are silent otherwise, by promtool and with the chart's defaults", async () => {
    const { stdout } = await execa("promtool", ["test", "rules", "alerts.yaml"], {
      cwd: path.join(import.meta.dirname, "prometheus"),
    });
    assert.match(stdout, /SUCCESS/);
  });

  it("pass promtool's lint", async () => {
    await execa("promtool", ["check", "rules", "--lint=all", "--lint-fatal", path.join(CHART, "files/alerts.yaml")]);
  });
});

describe("a Prometheus that scrapes the operator", () => {
  let prometheus: Prometheus;

  before(async () => {
    prometheus = await Prometheus.start(stage().cluster, await rules());
    await eventually("both controllers and both admission Pods are scraped", async () => {
      const up = await prometheus.query("up == 1");
      return up.length === 4;
    });
  });

  after(async () => {
    await prometheus.stop();
    // Their logs are full of rights that were withdrawn, which the chart's tests would take for rights that are missing.
    const controller = ["deployment/ovs-traffic-control-controller", "--namespace", "ovs-traffic-control"];
    await stage().cluster.kubectl(["rollout", "restart", ...controller]);
    await stage().cluster.kubectl(["rollout", "status", ...controller, "--timeout=90s"]);
  });

  it("fires OVSTrafficControlReconcileErrors while the controller may not write NodeTrafficPlans, and resolves it", async () => {
    const { cluster, objects } = stage();
    const rights = await cluster.kubectl(["get", "clusterrole", ROLE, "-o", "jsonpath={.rules}"]);
    const rules = JSON.parse(rights) as { resources: string[]; verbs: string[] }[];
    const withdrawn = rules.map((rule) =>
      rule.resources.includes("nodetrafficplans") ? { ...rule, verbs: ["get", "list", "watch"] } : rule,
    );
    try {
      await setRules(withdrawn);
      await objects.apply(mirror("e2e-alert", { vxlan: { remoteIP: COLLECTOR_ADDRESS } }));
      await firing("OVSTrafficControlReconcileErrors", { controller: "node" });
    } finally {
      await setRules(rules);
    }
    await ready(objects, "e2e-alert");
    await resolved("OVSTrafficControlReconcileErrors");
  });

  it("fires OVSTrafficControlNodesNotRealized while a device is missing on one node, and resolves it", async () => {
    const { objects, web } = stage();
    await onNode(web[0].node, `ip link add ${DEVICE} type veth peer name ${DEVICE}-far; ip link set ${DEVICE} up`);
    try {
      await objects.apply(mirror("e2e-alert", { device: { name: DEVICE } }));
      await firing("OVSTrafficControlNodesNotRealized", { name: "e2e-alert" });
      await onNode(web[1].node, `ip link add ${DEVICE} type veth peer name ${DEVICE}-far; ip link set ${DEVICE} up`);
      await ready(objects, "e2e-alert");
      await resolved("OVSTrafficControlNodesNotRealized");
    } finally {
      await untap(objects, "e2e-alert");
      for (const { node } of web) await onNode(node, `ip link del ${DEVICE} 2>/dev/null || true`);
    }
  });

  it("has data for every query of the dashboard and every metric of the alerts", async () => {
    await tap(stage().objects, mirror("e2e-alert", { vxlan: { remoteIP: COLLECTOR_ADDRESS } }));
    const queries = [...dashboardQueries(), ...metricsOfAlerts()];
    assert.ok(queries.length > 15, queries.join("\n"));
    for (const query of queries)
      await eventually(`${query} returns data`, async () => (await prometheus.query(query)).length > 0, {
        seconds: 30,
      });
  });

  it("reads metrics that promtool finds nothing to complain about", async () => {
    const addresses = [...new Set((await prometheus.query("up")).map(({ metric }) => metric["instance"]!))];
    for (const address of addresses) {
      const input = await (await fetch(`http://${address}/metrics`)).text();
      const own = input.split("\n").filter((line) => !/^(# (HELP|TYPE) )?(nodejs_|process_)/.test(line));
      assert.equal((await execa("promtool", ["check", "metrics"], { input: `${own.join("\n")}\n` })).exitCode, 0);
    }
  });

  function firing(alertname: string, labels: Record<string, string>): Promise<unknown> {
    return eventually(
      `${alertname} fires`,
      async () => {
        const alerts = await prometheus.alerts();
        const found = alerts.filter(({ labels: each, state }) => state === "firing" && each["alertname"] === alertname);
        return found.some((alert) => Object.entries(labels).every(([name, value]) => alert.labels[name] === value));
      },
      { seconds: SECONDS },
    );
  }

  function resolved(alertname: string): Promise<unknown> {
    return eventually(
      `${alertname} is resolved`,
      async () => (await prometheus.alerts()).every(({ labels }) => labels["alertname"] !== alertname),
      { seconds: SECONDS },
    );
  }
});

/** The alerts as the chart renders them, impatient. */
async function rules(): Promise<string> {
  const names = [...readFileSync(path.join(CHART, "files/alerts.yaml"), "utf8").matchAll(/- alert: (\w+)/g)];
  const impatient = names.flatMap(([, name]) => ["--set", `prometheusRule.for.${name}=1s`]);
  const rendered = await helm(stage().cluster, [
    ...["template", "ovs-traffic-control", CHART, "--kube-version", "1.36.0", "--set", "prometheusRule.enabled=true"],
    ...["--set", "prometheusRule.window=15s", "--show-only", "templates/prometheusrule.yaml", ...impatient],
  ]);
  const { spec } = parse(rendered) as { spec: { groups: unknown } };
  return JSON.stringify(spec);
}

function dashboardQueries(): string[] {
  const dashboard = JSON.parse(readFileSync(path.join(CHART, "files/dashboard.json"), "utf8")) as {
    panels: { panels?: unknown; targets?: { expr: string }[] }[];
  };
  return dashboard.panels
    .flatMap(({ targets = [] }) => targets)
    .map(({ expr }) => expr.replaceAll("$__rate_interval", "15s").replaceAll("$job", "ovs-traffic-control"));
}

function metricsOfAlerts(): string[] {
  const text = readFileSync(path.join(CHART, "files/alerts.yaml"), "utf8");
  return [...new Set([...text.matchAll(/([a-z_]+)\{job=/g)].map(([, name]) => name!))];
}

async function setRules(rules: unknown): Promise<void> {
  const patch = JSON.stringify({ rules });
  await stage().cluster.kubectl(["patch", "clusterrole", ROLE, "--type=merge", "--patch", patch]);
}

async function onNode(node: string, script: string): Promise<void> {
  const { exitCode, stderr } = await stage().cluster.exec(node, "sh", ["-ec", script]);
  assert.equal(exitCode, 0, stderr);
}
