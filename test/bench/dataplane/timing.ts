/** How long something takes, and again. Used by the sections. */

export async function milliseconds(act: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await act();
  return performance.now() - started;
}

/** One after the other. */
export async function times<T>(count: number, measure: (run: number) => Promise<T>): Promise<T[]> {
  const values: T[] = [];
  for (let run = 0; run < count; run++) values.push(await measure(run));
  return values;
}
