/** Events about TrafficControls, in Namespace default as for every cluster-scoped object. De-duplicated and limited like client-go's. */
import { DOMAIN, FIELD_MANAGER, TRAFFIC_CONTROL, type TrafficControl } from "../api";
import { RESOURCES, type Clock, type KubernetesApi, type Logger } from "../engine";

export interface EventDetails {
  type: "Normal" | "Warning";
  /** From REASONS. */
  reason: string;
  /** What the controller was doing: "Program", "Cleanup", "Select". */
  action: string;
  note: string;
}

export interface EventRecorderOptions {
  api: KubernetesApi;
  /** This process, for reportingInstance. */
  instance: string;
  clock: Clock;
  log: Logger;
}

/** The same Event about the same object is not repeated for so long. */
const REPEAT_MS = 600_000;
/** Per object: so many at once, then one per refill. */
const BURST = 20;
const REFILL_MS = 60_000;
const MAXIMUM_UNDER_WAY = 32;
const MAXIMUM_OBJECTS = 5_000;
const MAXIMUM_NOTE = 1024;

interface Budget {
  tokens: number;
  at: number;
  recent: Map<string, number>;
}

export class EventRecorder {
  private readonly budgets = new Map<string, Budget>();
  private readonly underWay = new Set<Promise<void>>();
  private sequence = 0;

  constructor(private readonly options: EventRecorderOptions) {}

  /** Sends the Event without waiting; a failure is logged and costs nothing else. */
  record({ metadata }: TrafficControl, details: EventDetails): void {
    const { name = "", uid = "" } = metadata;
    // An Event is worth less than the writes that it would keep waiting.
    if (this.underWay.size >= MAXIMUM_UNDER_WAY || !this.isAllowed(uid, `${details.reason} ${details.note}`)) return;
    const now = new Date(this.options.clock.now());
    this.sequence += 1;
    const namespace = "default";
    const body = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { namespace, name: `${name.slice(0, 200)}.${now.getTime().toString(16)}${this.sequence.toString(16)}` },
      eventTime: now.toISOString().replace("Z", "000Z"),
      reportingController: DOMAIN,
      reportingInstance: `${FIELD_MANAGER}-${this.options.instance}`.slice(0, 128),
      type: details.type,
      reason: details.reason,
      action: details.action,
      note: details.note.slice(0, MAXIMUM_NOTE),
      regarding: {
        apiVersion: `${TRAFFIC_CONTROL.group}/${TRAFFIC_CONTROL.version}`,
        kind: TRAFFIC_CONTROL.kind,
        name,
        uid,
        resourceVersion: metadata.resourceVersion,
      },
    };
    const sending = this.options.api.create({ resource: RESOURCES.events, namespace }, body).then((result) => {
      this.underWay.delete(sending);
      if (!result.ok)
        this.options.log.warn({ trafficControl: name, reason: details.reason, failure: result }, "Event not written");
    });
    this.underWay.add(sending);
  }

  /** Resolves when what has been recorded is sent: before the process ends. */
  async drain(): Promise<void> {
    await Promise.all(this.underWay);
  }

  private isAllowed(uid: string, text: string): boolean {
    const now = this.options.clock.monotonic();
    const budget = this.budgetOf(uid, now);
    const last = budget.recent.get(text);
    if (last !== undefined && now - last < REPEAT_MS) return false;
    if (budget.tokens < 1) return false;
    budget.tokens -= 1;
    budget.recent.set(text, now);
    for (const [old, at] of budget.recent) if (now - at >= REPEAT_MS) budget.recent.delete(old);
    return true;
  }

  private budgetOf(uid: string, now: number): Budget {
    let budget = this.budgets.get(uid);
    if (budget === undefined) {
      budget = { tokens: BURST, at: now, recent: new Map() };
      this.budgets.set(uid, budget);
      const [oldest] = this.budgets.keys();
      if (this.budgets.size > MAXIMUM_OBJECTS && oldest !== undefined) this.budgets.delete(oldest);
    }
    budget.tokens = Math.min(BURST, budget.tokens + (now - budget.at) / REFILL_MS);
    budget.at = now;
    return budget;
  }
}
