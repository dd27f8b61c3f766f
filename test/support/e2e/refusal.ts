/** What the API server says about an object, without storing it. Used by the end-to-end tests of admission. */
import { ApiException, CustomObjectsApi, KubeConfig } from "@kubernetes/client-node";
import { TRAFFIC_CONTROL } from "@ovs-traffic-control/api";
import { stage } from "./hooks";

/** What the API server puts before the early webhook's own words. */
export const EARLY = 'admission webhook "early.ovs-traffic-control.dev" denied the request: ';

/**
 * The API server's message about the creation of a TrafficControl, or undefined if it would accept it. A dry run.
 * @param kubeconfig of another API server than the cluster's
 */
export async function refusal(object: object, kubeconfig = stage().cluster.kubeconfig): Promise<string | undefined> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const { group, version, plural } = TRAFFIC_CONTROL;
  try {
    await config
      .makeApiClient(CustomObjectsApi)
      .createClusterCustomObject({ group, version, plural, body: object, dryRun: "All", fieldValidation: "Strict" });
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiException)) throw error;
    return (JSON.parse(error.body as string) as { message: string }).message;
  }
}

interface Failure {
  /** When the request was sent, as performance.now() says it. */
  sentAt: number;
  message: string;
}

/** So many at a time. */
const STREAMS = 3;

/** Creates (a dry run) again and again until `stop`; returns how often, and what was said instead of yes. */
export function keepCreating(object: object): { stop: () => Promise<{ count: number; failures: Failure[] }> } {
  const stopping = new AbortController();
  const failures: Failure[] = [];
  let count = 0;
  const stream = async (): Promise<void> => {
    for (; !stopping.signal.aborted; count++) {
      const sentAt = performance.now();
      const message = await refusal(object);
      if (message !== undefined) failures.push({ sentAt, message });
    }
  };
  const streams = Array.from({ length: STREAMS }, stream);
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(streams);
      return { count, failures };
    },
  };
}
