/**
 * This node's NodeTrafficPlan: followed by list and watch of the one object, its status written by merge patch.
 * Called by main.
 */
import { NODE_TRAFFIC_PLAN } from "@ovs-traffic-control/api";
import type { NodeTrafficPlan, PlanStatus } from "@ovs-traffic-control/api";
import type { Log, PlanSource, StatusSink } from "../options";
import { ApiError } from "./api-server";
import type { ApiServer } from "./api-server";

const COLLECTION = `/apis/${NODE_TRAFFIC_PLAN.group}/${NODE_TRAFFIC_PLAN.version}/${NODE_TRAFFIC_PLAN.plural}`;
/** Seconds after which the server is asked to end a watch, and milliseconds of silence that mean a dead connection: bookmarks come about once a minute. */
const WATCH_SECONDS = 300;
const SILENCE = 150_000;
const FIRST_WAIT = 250;
const LONGEST_WAIT = 10_000;
/** Every part of a status, so that what is absent now is removed by the merge. */
const EVERY_FIELD: Record<keyof PlanStatus, null> = {
  observedHash: null,
  realizedPods: null,
  repairs: null,
  bridges: null,
  ports: null,
  rules: null,
  conditions: null,
};

interface PlanList {
  metadata: { resourceVersion: string };
  items: NodeTrafficPlan[];
}

export class KubernetesPlan implements PlanSource, StatusSink {
  private readonly stopped = new AbortController();
  private readonly selector: string;
  /** From here on the watch goes on; null: list first. */
  private version: string | null = null;

  constructor(
    private readonly api: Pick<ApiServer, "get" | "mergePatch" | "watch" | "close">,
    private readonly node: string,
    private readonly log: Log,
  ) {
    this.selector = `fieldSelector=${encodeURIComponent(`metadata.name=${node}`)}`;
  }

  /** Resolves with the first answer of the API server; keeps trying until then. */
  start(onPlan: (plan: NodeTrafficPlan | null) => void): Promise<void> {
    return new Promise((resolve) => {
      void this.follow((plan) => {
        onPlan(plan);
        resolve();
      });
    });
  }

  stop(): void {
    this.stopped.abort();
    this.api.close();
  }

  async write(status: PlanStatus): Promise<void> {
    const patch = { status: { ...EVERY_FIELD, ...status } };
    try {
      await this.api.mergePatch(`${COLLECTION}/${encodeURIComponent(this.node)}/status`, patch);
    } catch (error) {
      // Deleted meanwhile: the watch will say so, and there is nobody to report to.
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }

  private async follow(onPlan: (plan: NodeTrafficPlan | null) => void): Promise<void> {
    let wait = FIRST_WAIT;
    const stopped = (): boolean => this.stopped.signal.aborted;
    while (!stopped()) {
      try {
        await this.refresh(onPlan);
        await this.watch(onPlan, () => (wait = FIRST_WAIT));
      } catch (error) {
        if (stopped()) return;
        // The version is too old for the server: start again with a list.
        if (error instanceof ApiError && error.status === 410) {
          this.version = null;
          continue;
        }
        this.log("warn", `the plan cannot be followed: ${(error as Error).message}; trying again`);
        await new Promise((resolve) => setTimeout(resolve, wait));
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
  }

  /** The plan as it is, if it is not known from which version on to watch. */
  private async refresh(onPlan: (plan: NodeTrafficPlan | null) => void): Promise<void> {
    if (this.version !== null) return;
    const list = (await this.api.get(`${COLLECTION}?${this.selector}`)) as PlanList;
    this.version = list.metadata.resourceVersion;
    onPlan(list.items[0] ?? null);
  }

  private async watch(onPlan: (plan: NodeTrafficPlan | null) => void, onAlive: () => void): Promise<void> {
    const from = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${this.version ?? ""}`;
    const errors: ApiError[] = [];
    await this.api.watch(
      `${COLLECTION}?${this.selector}&${from}`,
      ({ type, object }) => {
        if (type === "ERROR") {
          const { code = 0, message = "" } = object as { code?: number; message?: string };
          errors.push(new ApiError(code, "watch", message));
          return;
        }
        onAlive();
        const plan = object as NodeTrafficPlan;
        this.version = plan.metadata.resourceVersion ?? this.version;
        if (type !== "BOOKMARK") onPlan(type === "DELETED" ? null : plan);
      },
      this.stopped.signal,
      SILENCE,
    );
    if (errors[0]) throw errors[0];
  }
}
