/** `status`: each TrafficControl with what its nodes say. Pure; main.ts reads the objects and prints. */
import { CONDITIONS, REASONS, type NodeTrafficPlan, type TrafficControl } from "@ovs-traffic-control/api";
import { count, portsText, table, type Column, type Format } from "./output";

/** Something that is not as it should be on one node. */
export interface Problem {
  node: string;
  pod?: string;
  reason: string;
  message: string;
}

export interface StatusRow {
  name: string;
  action: string;
  direction: string;
  ports: string;
  ready: string;
  reason: string;
  message: string;
  /** Every condition that is not Ready and is True: "Stalled", "Conflicted". */
  conditions: string[];
  desiredNodes: number;
  realizedNodes: number;
  selectedPods: number;
  /** Over all nodes, as last reported; programmers write them at most once a minute. */
  packets: number;
  bytes: number;
  problems: Problem[];
}

export function statusRows(trafficControls: readonly TrafficControl[], plans: readonly NodeTrafficPlan[]): StatusRow[] {
  return trafficControls.map((trafficControl) => {
    const { metadata, spec, status } = trafficControl;
    const uid = metadata.uid ?? "";
    const results = plans.flatMap((plan) => plan.status?.rules?.filter((rule) => rule.uid === uid) ?? []);
    const ready = status?.conditions?.find(({ type }) => type === CONDITIONS.ready);
    const sum = (field: "packets" | "bytes"): number => results.reduce((total, rule) => total + (rule[field] ?? 0), 0);
    return {
      name: metadata.name ?? "",
      action: spec.action,
      direction: spec.direction,
      ports: portsText(spec),
      ready: metadata.deletionTimestamp === undefined ? (ready?.status ?? "Unknown") : "Deleting",
      reason: ready?.reason ?? "NotReported",
      message: ready?.message ?? "No controller has reported on it yet: is ovs-traffic-control running?",
      conditions: (status?.conditions ?? [])
        .filter((condition) => condition.type !== CONDITIONS.ready && condition.status === "True")
        .map(({ type, message }) => `${type}: ${message}`),
      desiredNodes: status?.desiredNodes ?? 0,
      realizedNodes: status?.realizedNodes ?? 0,
      selectedPods: status?.selectedPods ?? 0,
      packets: sum("packets"),
      bytes: sum("bytes"),
      problems: plans.flatMap((plan) => problemsOn(plan, uid)),
    };
  });
}

function problemsOn({ metadata, spec, status }: NodeTrafficPlan, uid: string): Problem[] {
  const node = metadata.name ?? "";
  const rule = spec.rules.find((each) => each.uid === uid);
  if (rule === undefined && spec.retiring?.includes(uid) !== true) return [];
  const unwell = status?.conditions?.find(({ type, status: value }) => type === CONDITIONS.ready && value === "False");
  // Any other reason is that of one TrafficControl, and stands at its rule.
  if (unwell?.reason === REASONS.ovsUnreachable) return [{ node, reason: unwell.reason, message: unwell.message }];
  if (status?.observedHash !== spec.hash)
    return [{ node, reason: REASONS.programming, message: "The node has not acted on its latest plan yet." }];
  const found = (status.rules ?? [])
    .filter((each) => each.uid === uid)
    .flatMap(({ reason, message, pendingPods }): Problem[] => [
      ...(reason === undefined || reason === "" ? [] : [{ node, reason, message: message ?? reason }]),
      ...pendingPods.map(({ namespace, name, ...why }) => ({ node, pod: `${namespace}/${name}`, ...why })),
    ]);
  if (found.length > 0) return found;
  const wanted = [rule?.targetPort, rule?.returnPort].flatMap((port) =>
    port === undefined ? [] : Object.entries(port),
  );
  return (status.ports ?? []).flatMap(({ name, kind, reason, message = "" }) => {
    // A tunnel's port has a name of ours: of two tunnels of one kind, both are named.
    const isOurs = wanted.some(([wantedKind, fields]) =>
      "name" in fields ? fields.name === name : wantedKind === kind,
    );
    return isOurs && message !== "" ? [{ node, reason: reason ?? `Port ${name}`, message }] : [];
  });
}

const COLUMNS: readonly Column<StatusRow>[] = [
  { heading: "NAME", of: ({ name }) => name },
  { heading: "ACTION", of: ({ action }) => action },
  { heading: "DIRECTION", of: ({ direction }) => direction },
  { heading: "PORTS", of: ({ ports }) => ports },
  { heading: "READY", of: ({ ready }) => ready },
  { heading: "NODES", of: ({ realizedNodes, desiredNodes }) => `${realizedNodes}/${desiredNodes}` },
  { heading: "PODS", of: ({ selectedPods }) => selectedPods },
  { heading: "PACKETS", of: ({ packets }) => packets },
  { heading: "BYTES", of: ({ bytes }) => bytes, wide: true },
  { heading: "REASON", of: ({ reason }) => reason },
  { heading: "MESSAGE", of: ({ message }) => message, wide: true },
];

const PROBLEM: readonly Column<Problem & { name: string }>[] = [
  { heading: "TRAFFICCONTROL", of: ({ name }) => name },
  { heading: "NODE", of: ({ node }) => node },
  { heading: "POD", of: ({ pod }) => pod },
  { heading: "REASON", of: ({ reason }) => reason },
  { heading: "MESSAGE", of: ({ message }) => message },
];

export function statusText(rows: readonly StatusRow[], format: Format): string {
  if (rows.length === 0) return "There are no TrafficControls. Make one: docs/guide/first-mirror.md";
  const notReady = rows.filter(({ ready, conditions }) => ready !== "True" || conditions.length > 0);
  const words = notReady.flatMap(({ name, message, conditions }) => [
    `${name}: ${message}`,
    ...conditions.map((condition) => `${name}: ${condition}`),
  ]);
  const problems = rows.flatMap(({ name, problems }) => problems.map((problem) => ({ name, ...problem })));
  return [
    table(COLUMNS, rows, format),
    ...(words.length === 0 ? [] : ["", ...new Set(words)]),
    ...(problems.length === 0 ? [] : ["", `${count(problems.length, "problem")} on nodes:`, table(PROBLEM, problems)]),
  ].join("\n");
}
