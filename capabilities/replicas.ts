/** The controller's local copies of the API: which objects, which part of them. Made by controller.ts; every replica keeps them warm. */
import {
  ANTREA_CONFIG,
  antreaFacts,
  DEFINITION,
  definitionFacts,
  type AntreaFacts,
  type DefinitionFacts,
  type RawAntreaConfig,
  type RawDefinition,
} from "./antrea";
import { LABELS, NODE_TRAFFIC_PLAN, TRAFFIC_CONTROL, type TrafficControl } from "./api";
import {
  jobFacts,
  nodeFacts,
  PROGRAMMER_COMPONENT,
  programmerPodFacts,
  type JobFacts,
  type NodeFacts,
  type ProgrammerPodFacts,
  type RawJob,
  type RawNode,
  type RawPlan,
  type RawProgrammerPod,
} from "./delivery";
import { Informer, RESOURCES, type Clock, type KubernetesApi, type Logger, type RawObject } from "./engine";
import { isSamePlan, planFacts, type PlanFacts } from "./planning";
import {
  namespaceFacts,
  podFacts,
  type NamespaceFacts,
  type PodFacts,
  type RawNamespace,
  type RawPod,
} from "./selection";

export type RawTrafficControl = TrafficControl & RawObject;

/** What happens on a change; keys are names, `namespace/name` for Pods. */
export interface ReplicaHandlers {
  onTrafficControl: (name: string, after: TrafficControl | undefined) => void;
  onPod: (key: string, after: PodFacts | undefined) => void;
  onNamespace: (name: string, after: NamespaceFacts | undefined) => void;
  onNode: (name: string) => void;
  onPlan: (node: string, before: PlanFacts | undefined, after: PlanFacts | undefined) => void;
  onJob: (node: string) => void;
  onProgrammerPod: (key: string, before: ProgrammerPodFacts | undefined, after: ProgrammerPodFacts | undefined) => void;
  /** Whether Antrea's agents act on TrafficControls themselves. */
  onAntrea: (after: AntreaFacts | undefined) => void;
  /** What the CRD of TrafficControls is. */
  onDefinition: (after: DefinitionFacts | undefined) => void;
}

export interface Replicas {
  trafficControls: Informer<RawTrafficControl, TrafficControl>;
  pods: Informer<RawPod, PodFacts>;
  namespaces: Informer<RawNamespace, NamespaceFacts>;
  nodes: Informer<RawNode, NodeFacts>;
  plans: Informer<RawPlan, PlanFacts>;
  jobs: Informer<RawJob, JobFacts>;
  /** Pods in the Jobs' namespace: how programmers have ended. */
  programmerPods: Informer<RawProgrammerPod, ProgrammerPodFacts>;
  /** Antrea's configuration, at most one; not looked at by a drain, which acts whoever else does. */
  antrea?: Informer<RawAntreaConfig, AntreaFacts>;
  /** The CRD of TrafficControls, likewise. */
  definitions?: Informer<RawDefinition, DefinitionFacts>;
}

/** What all of them have in common. */
export interface Replica {
  start(): void;
  stop(): Promise<void>;
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
}

/**
 * Starts them so that Pods come when what selects them is known: otherwise each selector would be tried on all Pods once more, and
 * each label that a selector mentions would sort them anew.
 */
export function startAll(replicas: Replicas): void {
  const { pods, trafficControls, namespaces } = replicas;
  for (const replica of allOf(replicas)) if (replica !== pods) replica.start();
  void Promise.all([trafficControls.synced, namespaces.synced]).then(() => pods.start());
}

export function allOf(replicas: Replicas): Replica[] {
  const { trafficControls, pods, namespaces, nodes, plans, jobs, programmerPods, antrea, definitions } = replicas;
  const others = [antrea, definitions].filter((replica) => replica !== undefined);
  return [trafficControls, pods, namespaces, nodes, plans, jobs, programmerPods, ...others];
}

export interface ReplicaOptions {
  api: KubernetesApi;
  nodesNamespace: string;
  antreaNamespace: string;
  relistMilliseconds?: number;
  clock: Clock;
  log: Logger;
  /** False: the annotation by which Namespaces opt out means nothing. */
  honoursOptOut: boolean;
  /** Every TrafficControl looks as if it were being deleted: the controller then takes its taps away and lets it go. */
  isDraining?: boolean;
}

export function replicasOf(options: ReplicaOptions, on: ReplicaHandlers): Replicas {
  const { nodesNamespace, antreaNamespace, honoursOptOut, isDraining = false, ...common } = options;
  const programmers = { labelSelector: `${LABELS.component}=${PROGRAMMER_COMPONENT}` };
  return {
    trafficControls: new Informer<RawTrafficControl, TrafficControl>({
      ...common,
      path: { resource: TRAFFIC_CONTROL },
      project: ({ metadata, spec, status }) => {
        const deletionTimestamp = metadata.deletionTimestamp ?? (isDraining ? metadata.creationTimestamp : undefined);
        return { metadata: { ...metadata, deletionTimestamp, managedFields: undefined }, spec, status };
      },
      // Not the status, which is our own word.
      significant: ({ metadata: { uid, generation, finalizers, deletionTimestamp }, spec }) => {
        return { uid, generation, finalizers, deletionTimestamp, spec };
      },
      onChange: (_before, after, name) => on.onTrafficControl(name, after),
    }),
    pods: new Informer({
      ...common,
      path: { resource: RESOURCES.pods },
      // What no TrafficControl can select need not be sent.
      query: { fieldSelector: "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed" },
      project: podFacts,
      onChange: (_before, after, key) => on.onPod(key, after),
    }),
    namespaces: new Informer<RawNamespace, NamespaceFacts>({
      ...common,
      path: { resource: RESOURCES.namespaces },
      project: (namespace) => namespaceFacts(namespace, honoursOptOut),
      onChange: (_before, after, name) => on.onNamespace(name, after),
    }),
    nodes: new Informer({
      ...common,
      path: { resource: RESOURCES.nodes },
      project: nodeFacts,
      onChange: (_before, _after, name) => on.onNode(name),
    }),
    plans: new Informer<RawPlan, PlanFacts>({
      ...common,
      path: { resource: NODE_TRAFFIC_PLAN },
      project: planFacts,
      isSame: isSamePlan,
      onChange: (before, after, name) => on.onPlan(name, before, after),
    }),
    jobs: new Informer({
      ...common,
      path: { resource: RESOURCES.jobs, namespace: nodesNamespace },
      query: programmers,
      project: jobFacts,
      onChange: (before, after) => on.onJob(after?.node ?? before?.node ?? ""),
    }),
    programmerPods: new Informer({
      ...common,
      path: { resource: RESOURCES.pods, namespace: nodesNamespace },
      query: programmers,
      project: programmerPodFacts,
      onChange: (before, after, key) => on.onProgrammerPod(key, before, after),
    }),
    ...(isDraining
      ? {}
      : {
          antrea: new Informer<RawAntreaConfig, AntreaFacts>({
            ...common,
            path: { resource: RESOURCES.configMaps, namespace: antreaNamespace },
            query: { fieldSelector: `metadata.name=${ANTREA_CONFIG.name}` },
            project: antreaFacts,
            onChange: (_before, after) => on.onAntrea(after),
          }),
          definitions: new Informer<RawDefinition, DefinitionFacts>({
            ...common,
            path: { resource: RESOURCES.customResourceDefinitions },
            query: { fieldSelector: `metadata.name=${DEFINITION}` },
            project: definitionFacts,
            onChange: (_before, after) => on.onDefinition(after),
          }),
        }),
  };
}
