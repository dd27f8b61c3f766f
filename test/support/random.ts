/** Random choices that a printed seed repeats. Used by tests that break things in an order of their own. */

/** Numbers from 0 up to 1, the same for each seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

/** The same things in another order (Fisher and Yates). */
export function shuffled<T>(random: () => number, things: readonly T[]): T[] {
  const found = [...things];
  for (let last = found.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [found[last], found[other]] = [found[other]!, found[last]!];
  }
  return found;
}

/** The seed of this run: what the environment's SEED says, or a new one. */
export function seedOfRun(): number {
  const given = process.env["SEED"];
  if (given === undefined) return Date.now() % 2 ** 31;
  const seed = Number(given);
  if (!Number.isInteger(seed)) throw new Error(`SEED is "${given}": write the number that an earlier run has printed.`);
  return seed;
}
