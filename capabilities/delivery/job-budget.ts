/**
 * How many Jobs may be on their way at a time, and how many may be made a second: a scheduler, a registry and a Job controller have to
 * bear them all. A default kube-controller-manager completes 3.5 a second. Asked by the node reconciler before each new Job.
 */
import { TokenBucket, type Clock, type Timer } from "../engine";
import type { DeliveryMetrics } from "./metrics";

/** A Job that has not started within this is stuck, and no reason to keep the other nodes waiting. */
const STUCK_MS = 60_000;
/** When to look for Jobs that are stuck, if none has started. */
const LOOK_AGAIN_MS = 1_000;

export interface JobBudgetOptions {
  inFlight: number;
  perSecond: number;
  clock: Clock;
  metrics: DeliveryMetrics;
  /** Called when a node that has had to wait may have its Job. */
  wake: (node: string) => void;
}

export class JobBudget {
  /** Node → since when its Job is on its way. */
  private readonly onTheWay = new Map<string, number>();
  private readonly waiting = new Set<string>();
  private readonly rate: TokenBucket;
  private timer: Timer | undefined;

  constructor(private readonly options: JobBudgetOptions) {
    const { clock, perSecond } = options;
    this.rate = new TokenBucket(clock, { burst: Math.max(1, perSecond), perSecond });
  }

  /** Whether the node may have a new Job now; its place is taken until release(). Otherwise it is woken when its turn has come. */
  take(node: string): boolean {
    if (this.onTheWay.has(node)) return true;
    this.waiting.add(node);
    this.admitNext(node);
    if (this.onTheWay.has(node)) return true;
    this.options.metrics.jobsDelayed.inc();
    return false;
  }

  /** A Job is on its way that this process has not made, or has forgotten. */
  adopt(node: string): void {
    if (!this.onTheWay.has(node)) this.onTheWay.set(node, this.options.clock.monotonic());
    this.count();
  }

  /** Its programmer runs, or has ended, or there is none. */
  release(node: string): void {
    this.waiting.delete(node);
    if (!this.onTheWay.delete(node)) return;
    this.count();
    this.admitNext();
  }

  /** Gives places to those who have waited longest: asking each again and again would cost a plan each time. */
  private admitNext(asking?: string): void {
    const { clock, inFlight, wake } = this.options;
    const now = clock.monotonic();
    for (const [node, since] of this.onTheWay) if (now - since > STUCK_MS) this.onTheWay.delete(node);
    for (const node of this.waiting) {
      const wait = this.onTheWay.size < inFlight ? this.rate.tryTake() : LOOK_AGAIN_MS;
      if (wait > 0) {
        this.timer ??= clock.after(wait, () => {
          this.timer = undefined;
          this.admitNext();
        });
        break;
      }
      this.waiting.delete(node);
      this.onTheWay.set(node, now);
      if (node !== asking) wake(node);
    }
    this.count();
  }

  private count(): void {
    this.options.metrics.jobsInFlight.set(this.onTheWay.size);
  }
}
