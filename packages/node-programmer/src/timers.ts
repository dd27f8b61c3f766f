/** Named timers, each at most once at a time, so that none is forgotten at the end. Owned by the programmer. */
export class Timers {
  private readonly running = new Map<string, NodeJS.Timeout>();

  /** Runs `action` after `milliseconds`; a timer of that name that is running starts anew. */
  after(name: string, milliseconds: number, action: () => void): void {
    this.cancel(name);
    const timer = setTimeout(() => {
      this.running.delete(name);
      action();
    }, milliseconds);
    this.running.set(name, timer);
  }

  has(name: string): boolean {
    return this.running.has(name);
  }

  cancel(name: string): void {
    clearTimeout(this.running.get(name));
    this.running.delete(name);
  }

  cancelAll(): void {
    for (const name of this.running.keys()) this.cancel(name);
  }
}
