/** Keeps the indexes of TrafficControls and Nodes that a new TrafficControl is compared with. Run by the admission process. */
import { TRAFFIC_CONTROL } from "../api";
import { Informer, RESOURCES, type Clock, type KubernetesApi, type Logger, type RawObject } from "../engine";
import { OVERLAY_ANNOTATIONS, Surroundings, type NodeFacts } from "./rules";

type RawTrafficControl = RawObject & { metadata: { deletionTimestamp?: string }; spec?: unknown };
/** One that is being deleted gives its ports up. */
type Neighbour = { spec: unknown } | { leaving: true };
type RawNode = RawObject & {
  metadata: { annotations?: Record<string, string> };
  status?: { addresses?: { address: string }[] };
};

export interface WatchedSurroundings {
  /** Empty at first: until the lists have come, only the object itself is judged. */
  surroundings: Surroundings;
  stop: () => Promise<void>;
}

export function watchSurroundings(api: KubernetesApi, clock: Clock, log: Logger): WatchedSurroundings {
  const surroundings = new Surroundings();
  const { peers, overlay, ends } = surroundings;
  const neighbours = new Informer<RawTrafficControl, Neighbour>({
    api,
    path: { resource: TRAFFIC_CONTROL },
    project: ({ metadata, spec }) => (metadata.deletionTimestamp === undefined ? { spec } : { leaving: true }),
    onChange: (_before, after, name) => {
      for (const index of [peers, ends])
        if (after !== undefined && "spec" in after) index.put(name, after.spec);
        else index.remove(name);
    },
    clock,
    log,
  });
  const nodes = new Informer<RawNode, NodeFacts>({
    api,
    path: { resource: RESOURCES.nodes },
    project: factsOf,
    onChange: (_before, after, name) => {
      if (after === undefined) overlay.remove(name);
      else overlay.put(name, after);
    },
    clock,
    log,
  });
  const informers = [neighbours, nodes];
  for (const informer of informers) informer.start();
  return { surroundings, stop: async () => void (await Promise.all(informers.map((informer) => informer.stop()))) };
}

function factsOf({ metadata, status }: RawNode): NodeFacts {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([name]) => OVERLAY_ANNOTATIONS.includes(name));
  return {
    addresses: (status?.addresses ?? []).map(({ address }) => address),
    annotations: Object.fromEntries(annotations),
  };
}
