/**
 * How long the event loop does not get round: as time that passes, and as CPU, which waiting for a core does not stretch. Used by main.ts.
 */

/** A timer that is due so often sees every stall that is longer. */
const EVERY_MS = 5;

export class Stalls {
  private readonly timer: NodeJS.Timeout;
  private last = now();
  private longest = { passed: 0, cpu: 0 };

  constructor() {
    this.timer = setInterval(() => this.look(), EVERY_MS);
  }

  /** Milliseconds of the longest one since the last call; with the CPU of the garbage collector's threads. */
  take(): { passed: number; cpu: number } {
    this.look();
    const { longest } = this;
    this.longest = { passed: 0, cpu: 0 };
    return longest;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const next = now();
    const { passed, cpu } = this.longest;
    this.longest = {
      passed: Math.max(passed, next.passed - this.last.passed - EVERY_MS),
      cpu: Math.max(cpu, next.cpu - this.last.cpu),
    };
    this.last = next;
  }
}

function now(): { passed: number; cpu: number } {
  const { user, system } = process.cpuUsage();
  return { passed: performance.now(), cpu: (user + system) / 1000 };
}
