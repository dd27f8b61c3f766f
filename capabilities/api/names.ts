/** Names that more than one room, or a user, relies on. Changing one is a change of the API. */

/** Domain of our labels, annotations, finalizer and API group. */
export const DOMAIN = "ovs-traffic-control.dev";

/** Antrea's API, which we serve. */
export const TRAFFIC_CONTROL = {
  group: "crd.antrea.io",
  version: "v1alpha2",
  plural: "trafficcontrols",
  kind: "TrafficControl",
} as const;

/** Our own API between the controller and the nodes. */
export const NODE_TRAFFIC_PLAN = {
  group: DOMAIN,
  version: "v1alpha1",
  plural: "nodetrafficplans",
  kind: "NodeTrafficPlan",
} as const;

/** Holds a TrafficControl until its taps are gone from every node. */
export const FINALIZER = `${DOMAIN}/untap`;

export const ANNOTATIONS = {
  /** On a TrafficControl: who last changed its spec. Written by the mutating webhook. */
  lastChangedBy: `${DOMAIN}/last-changed-by`,
  /** On a Pod: comma-separated names of the interfaces to tap; all that are on Open vSwitch without it. */
  interfaces: `${DOMAIN}/interfaces`,
  /** On the kube-system Namespace: "true" lets Redirect act on its Pods. */
  allowRedirect: `${DOMAIN}/allow-redirect`,
  /** On a Namespace: "true" keeps every TrafficControl from selecting its Pods. */
  optOut: `${DOMAIN}/opt-out`,
} as const;

export const LABELS = {
  managedBy: "app.kubernetes.io/managed-by",
  component: "app.kubernetes.io/component",
  /** On a Job and its Pod: the node they are for, as a hash (node names may be longer than a label value). */
  node: `${DOMAIN}/node`,
  /** On a Pod: "true" marks the operator's own Pods, which are never selected. */
  operator: `${DOMAIN}/operator`,
} as const;

/** Field manager of every server-side apply, and value of the managed-by label. */
export const FIELD_MANAGER = "ovs-traffic-control";

/** Exit codes of the node programmer; an API towards the controller (design: "The Job"). */
export const EXIT = { done: 0, badPlan: 64, podsPending: 65, ovsUnreachable: 69, bug: 70, superseded: 77 } as const;

/** Condition types of a NodeTrafficPlan's status beside Ready. Present only while true. */
export const PLAN_CONDITIONS = { untested: "Untested" } as const;

/** Condition types of a TrafficControl's status. Reconciling, Stalled, Conflicted and Approximate are present only while true. */
export const CONDITIONS = {
  ready: "Ready",
  reconciling: "Reconciling",
  stalled: "Stalled",
  conflicted: "Conflicted",
  approximate: "Approximate",
} as const;

/** Reasons in conditions, failures, pending Pods and Events: CamelCase, an API for alerts and scripts. */
export const REASONS = {
  realized: "Realized",
  environment: "Environment",
  noPodsSelected: "NoPodsSelected",
  programming: "Programming",
  nodesNotRealized: "NodesNotRealized",
  podsPending: "PodsPending",
  noOVSPort: "NoOVSPort",
  macUnknown: "MACUnknown",
  notBound: "PortNotBound",
  targetPortMissing: "TargetPortMissing",
  targetPortFailed: "TargetPortFailed",
  deviceNotOurs: "DeviceNotOurs",
  overlayPortInUse: "OverlayPortInUse",
  noRoute: "NoRoute",
  pipelineUnknown: "PipelineUnknown",
  tooManyRules: "TooManyRules",
  tooManyMirrors: "TooManyMirrors",
  mirrorRows: "MirrorRows",
  ovsUnreachable: "OVSUnreachable",
  nodeNotReady: "NodeNotReady",
  programmerFailed: "ProgrammerFailed",
  planTooLarge: "PlanTooLarge",
  tooManyTunnels: "TooManyTunnels",
  conflictsWith: "ConflictsWith",
  collectorSelected: "CollectorSelected",
  cleanupStarted: "CleanupStarted",
  cleanupCompleted: "CleanupCompleted",
  cleanupAbandoned: "CleanupAbandoned",
  operatorUninstalled: "OperatorUninstalled",
  stoodDown: "StoodDown",
  schemaForeign: "SchemaForeign",
} as const;

/** Keys in external_ids of the OVSDB rows that are ours. */
export const EXTERNAL_IDS = {
  /** "ovs-traffic-control" on each Port and Interface that we made. */
  owner: `${DOMAIN}/owner`,
  /** "true", set by the administrator on a Port that he attached and lets us use. */
  adopt: `${DOMAIN}/adopt`,
} as const;
