/** A budget that refills with time. Used by the work queue for retries and by delivery for Jobs. */
import type { Clock } from "./clock";

export interface TokenBucketOptions {
  /** So many at once. */
  burst: number;
  /** Then so many a second. */
  perSecond: number;
}

export class TokenBucket {
  private tokens: number;
  private at: number;

  constructor(
    private readonly clock: Clock,
    private readonly options: TokenBucketOptions,
  ) {
    this.tokens = options.burst;
    this.at = clock.monotonic();
  }

  /** Takes one, on credit if need be; returns the milliseconds until it is earned. */
  take(): number {
    this.refill();
    this.tokens -= 1;
    return Math.max(0, (-this.tokens * 1000) / this.options.perSecond);
  }

  /** Takes one if there is one; the milliseconds until there will be otherwise. */
  tryTake(): number {
    this.refill();
    if (this.tokens >= 1) {
      this.tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - this.tokens) * 1000) / this.options.perSecond);
  }

  private refill(): void {
    const now = this.clock.monotonic();
    this.tokens = Math.min(this.options.burst, this.tokens + ((now - this.at) * this.options.perSecond) / 1000);
    this.at = now;
  }
}
