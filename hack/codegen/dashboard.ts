/** The Grafana dashboard as code. Pure; reference.ts writes it to the chart, and its queries are run by test/e2e/prometheus.test.ts. */
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

interface Panel {
  title: string;
  description: string;
  unit: string;
  queries: [expression: string, legend: string][];
}

const JOB = `job="$job"`;
const RATE = "[$__rate_interval]";

const ROWS: Record<string, Panel[]> = {
  "What is tapped": [
    {
      title: "Nodes per TrafficControl",
      description: "Nodes where a TrafficControl selects Pods, and those of them where it is in force.",
      unit: "short",
      queries: [
        [`trafficcontrol_desired_nodes{${JOB}}`, "{{name}} wanted"],
        [`trafficcontrol_realized_nodes{${JOB}}`, "{{name}} in force"],
      ],
    },
    {
      title: "Selected Pods",
      description: "Pods that each TrafficControl selects.",
      unit: "short",
      queries: [[`trafficcontrol_selected_pods{${JOB}}`, "{{name}}"]],
    },
    {
      title: "Node programmers that have ended",
      description: "By result. Everything but done and superseded is a failure.",
      unit: "short",
      queries: [[`sum by (result) (increase(trafficcontrol_node_jobs_total{${JOB}}${RATE}))`, "{{result}}"]],
    },
    {
      title: "Drift repaired",
      description: "How often somebody else had changed flows or ports of ours, and they were put right.",
      unit: "short",
      queries: [[`sum(increase(trafficcontrol_drift_repaired_total{${JOB}}${RATE}))`, "repairs"]],
    },
  ],
  Controller: [
    {
      title: "Leader",
      description: "1 for the process that holds the Lease.",
      unit: "short",
      queries: [[`leader_election_master_status{${JOB}}`, "{{pod}}"]],
    },
    {
      title: "Reconciliations",
      description: "By what they have come to.",
      unit: "ops",
      queries: [
        [
          `sum by (controller, result) (rate(controller_runtime_reconcile_total{${JOB}}${RATE}))`,
          "{{controller}} {{result}}",
        ],
      ],
    },
    {
      title: "Reconciliation time, 99th percentile",
      description: "How long one reconciliation takes.",
      unit: "s",
      queries: [
        [
          `histogram_quantile(0.99, sum by (controller, le) (rate(controller_runtime_reconcile_time_seconds_bucket{${JOB}}${RATE})))`,
          "{{controller}}",
        ],
      ],
    },
    {
      title: "Work that waits",
      description: "Keys in the work queues.",
      unit: "short",
      queries: [[`sum by (name) (workqueue_depth{${JOB}})`, "{{name}}"]],
    },
    {
      title: "Requests to the API server",
      description: "By HTTP code; 429 means that the API server slows us down.",
      unit: "reqps",
      queries: [[`sum by (code) (rate(rest_client_requests_total{${JOB}}${RATE}))`, "{{code}}"]],
    },
  ],
  Admission: [
    {
      title: "Decisions",
      description: "What the webhooks have said.",
      unit: "ops",
      queries: [
        [
          `sum by (webhook, decision) (rate(trafficcontrol_admission_decisions_total{${JOB}}${RATE}))`,
          "{{webhook}} {{decision}}",
        ],
      ],
    },
    {
      title: "Time per decision, 99th percentile",
      description: "How long the API server waits for us.",
      unit: "s",
      queries: [
        [
          `histogram_quantile(0.99, sum by (webhook, le) (rate(controller_runtime_webhook_latency_seconds_bucket{${JOB}}${RATE})))`,
          "{{webhook}}",
        ],
      ],
    },
    {
      title: "Life left in the certificate",
      description: "It is renewed when a third is left.",
      unit: "s",
      queries: [[`trafficcontrol_certificate_expiration_timestamp_seconds{${JOB}} - time()`, "{{pod}}"]],
    },
  ],
  Processes: [
    {
      title: "Memory",
      description: "Resident memory of each Pod.",
      unit: "bytes",
      queries: [[`process_resident_memory_bytes{${JOB}}`, "{{pod}}"]],
    },
    {
      title: "Processor",
      description: "Cores that each Pod uses.",
      unit: "short",
      queries: [[`rate(process_cpu_seconds_total{${JOB}}${RATE})`, "{{pod}}"]],
    },
  ],
};

/** The dashboard's JSON, as Grafana imports it. */
export function dashboard(): string {
  // The newer Dashboard kind needs Grafana 12; this one is imported by all that are in use.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const builder = new DashboardBuilder("OVS traffic control")
    .uid("ovs-traffic-control")
    .tags(["ovs-traffic-control"])
    .refresh("30s")
    .time({ from: "now-1h", to: "now" })
    .readonly()
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(new TextBoxVariableBuilder("job").label("Job").defaultValue("ovs-traffic-control"));
  for (const [title, panels] of Object.entries(ROWS)) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panelOf(panel));
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

function panelOf({ title, description, unit, queries }: Panel): PanelBuilder {
  const source = { type: "prometheus", uid: "${datasource}" };
  const builder = new PanelBuilder()
    .title(title)
    .description(description)
    .unit(unit)
    .datasource(source)
    .span(8)
    .height(8);
  for (const [index, [expression, legend]] of queries.entries())
    builder.withTarget(
      new DataqueryBuilder()
        .refId(String.fromCharCode(65 + index))
        .expr(expression)
        .legendFormat(legend),
    );
  return builder;
}
