/**
 * Runs one thing at a time, as often as it is asked for and no oftener: requests during a run become one more run, a run
 * that asks for it is repeated after a growing wait. Owned by the reconciler and the status writer.
 *
 *     const loop = new Loop(async () => (await program()) ? "done" : "again");
 *     loop.wake();   // runs now
 *     loop.wake();   // runs once more afterwards
 */
export class Loop {
  private running: Promise<void> | null = null;
  private wanted = false;
  private stopped = false;
  private failures = 0;
  private timer: NodeJS.Timeout | null = null;

  /** `again`: repeat after a wait that doubles each time, from `first` to `longest` milliseconds. */
  constructor(
    private readonly run: () => Promise<"done" | "again">,
    private readonly waits = { first: 100, longest: 5000 },
  ) {}

  wake(): void {
    if (this.stopped) return;
    this.wanted = true;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.running ??= this.work();
  }

  /** No run begins after this; resolves when the present one is over. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.running;
  }

  private async work(): Promise<void> {
    // A turn of the event loop: events that arrive together are one run.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.wanted && !this.stopped) {
      this.wanted = false;
      const result = await this.run();
      this.failures = result === "done" ? 0 : this.failures + 1;
    }
    this.running = null;
    if (this.failures > 0 && !this.stopped) {
      const wait = Math.min(this.waits.first * 2 ** (this.failures - 1), this.waits.longest);
      this.timer = setTimeout(() => {
        this.wake();
      }, wait);
    }
  }
}
