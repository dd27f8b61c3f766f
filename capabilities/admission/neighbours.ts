/** Keeps the index of all TrafficControls that a new one is compared with. Run by the admission process. */
import { TRAFFIC_CONTROL } from "../api";
import { Informer, type Clock, type KubernetesApi, type Logger, type RawObject } from "../engine";
import { Peers } from "./rules";

type RawTrafficControl = RawObject & { metadata: { deletionTimestamp?: string }; spec?: unknown };
/** One that is being deleted gives its ports up. */
type Neighbour = { spec: unknown } | { leaving: true };

export interface Neighbours {
  /** Empty at first: until the list has come, only the object itself is judged. */
  peers: Peers;
  stop: () => Promise<void>;
}

export function watchNeighbours(api: KubernetesApi, clock: Clock, log: Logger): Neighbours {
  const peers = new Peers();
  const informer = new Informer<RawTrafficControl, Neighbour>({
    api,
    path: { resource: TRAFFIC_CONTROL },
    project: ({ metadata, spec }) => (metadata.deletionTimestamp === undefined ? { spec } : { leaving: true }),
    onChange: (_before, after, name) => {
      if (after !== undefined && "spec" in after) peers.put(name, after.spec);
      else peers.remove(name);
    },
    clock,
    log,
  });
  informer.start();
  return { peers, stop: () => informer.stop() };
}
