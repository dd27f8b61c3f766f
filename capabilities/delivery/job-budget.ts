/**
 * How many Jobs may be on their way at a time, and how many may be made a second: a scheduler, a registry and a Job controller have to
 * bear them all. A default kube-controller-manager completes 3.5 a second. Asked by the node reconciler before each new Job.
 */
import { TokenBucket, type Clock } from "../engine";
import type { DeliveryMetrics } from "./metrics";

/** A Job that has not started within this is stuck, and no reason to keep the other nodes waiting. */
const STUCK_MS = 60_000;
/** When to look again, ±50 %: others will have started by then. */
const LOOK_AGAIN_MS = 1_000;

export interface JobBudgetOptions {
  inFlight: number;
  perSecond: number;
  clock: Clock;
  metrics: DeliveryMetrics;
}

export class JobBudget {
  /** Node → since when its Job is on its way. */
  private readonly onTheWay = new Map<string, number>();
  private readonly rate: TokenBucket;

  constructor(private readonly options: JobBudgetOptions) {
    const { clock, perSecond } = options;
    this.rate = new TokenBucket(clock, { burst: Math.max(1, perSecond), perSecond });
  }

  /** Milliseconds to wait before the node may have a new Job; 0: now, and its place is taken until release(). */
  take(node: string): number {
    const { clock, inFlight, metrics } = this.options;
    if (this.onTheWay.has(node)) return 0;
    const now = clock.monotonic();
    for (const [other, since] of this.onTheWay) if (now - since > STUCK_MS) this.onTheWay.delete(other);
    const wait = this.onTheWay.size < inFlight ? this.rate.tryTake() : LOOK_AGAIN_MS;
    if (wait > 0) {
      metrics.jobsDelayed.inc();
      return wait * (0.5 + Math.random());
    }
    this.onTheWay.set(node, now);
    this.count();
    return 0;
  }

  /** A Job is on its way that this process has not made, or has forgotten. */
  adopt(node: string): void {
    if (!this.onTheWay.has(node)) this.onTheWay.set(node, this.options.clock.monotonic());
    this.count();
  }

  /** Its programmer runs, or has ended, or there is none. */
  release(node: string): void {
    this.onTheWay.delete(node);
    this.count();
  }

  private count(): void {
    this.options.metrics.jobsInFlight.set(this.onTheWay.size);
  }
}
