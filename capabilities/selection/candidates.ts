/** Selectors filed under their most telling demand: which of thousands may match these labels at all. Used by the selection index. */
import type { Restriction } from "./restriction";
import type { Labels } from "./selector";

/** Selectors that demand one key of one kind of object. */
interface Drawer<S> {
  any: Set<S>;
  byValue: Map<string, Set<S>>;
}

export class Candidates<S> {
  private readonly drawers = { pod: new Map<string, Drawer<S>>(), namespace: new Map<string, Drawer<S>>() };
  private readonly unrestricted = new Set<S>();
  private readonly filedUnder = new Map<S, Restriction | undefined>();

  /** Files the selector under the one of its restrictions where the fewest others are. */
  add(selector: S, restrictions: readonly Restriction[]): void {
    let best: Restriction | undefined;
    let least = Infinity;
    for (const restriction of restrictions) {
      const crowd = this.crowdOf(restriction);
      if (crowd >= least) continue;
      best = restriction;
      least = crowd;
    }
    this.filedUnder.set(selector, best);
    for (const set of this.places(best)) set.add(selector);
  }

  remove(selector: S): void {
    const restriction = this.filedUnder.get(selector);
    this.filedUnder.delete(selector);
    for (const set of this.places(restriction)) set.delete(selector);
    if (restriction !== undefined) this.tidy(restriction);
  }

  /** Calls back with each selector that these labels do not refute at first sight, once. */
  each(pod: Labels, namespace: Labels, act: (selector: S) => void): void {
    this.unrestricted.forEach(act);
    eachIn(this.drawers.pod, pod, act);
    eachIn(this.drawers.namespace, namespace, act);
  }

  /** How many selectors share the places of the restriction; a value more costs as much as a selector more. */
  private crowdOf({ of, key, values }: Restriction): number {
    const drawer = this.drawers[of].get(key);
    // A label that only has to be there is there on far more objects than any value of it.
    if (values === undefined) return 1_000 + (drawer?.any.size ?? 0);
    return values.reduce((sum, value) => sum + 1 + (drawer?.byValue.get(value)?.size ?? 0), 0);
  }

  private places(restriction: Restriction | undefined): Set<S>[] {
    if (restriction === undefined) return [this.unrestricted];
    const { of, key, values } = restriction;
    let drawer = this.drawers[of].get(key);
    if (drawer === undefined) this.drawers[of].set(key, (drawer = { any: new Set(), byValue: new Map() }));
    if (values === undefined) return [drawer.any];
    const { byValue } = drawer;
    return values.map((value) => {
      const set = byValue.get(value) ?? new Set();
      byValue.set(value, set);
      return set;
    });
  }

  private tidy({ of, key, values = [] }: Restriction): void {
    const drawer = this.drawers[of].get(key);
    if (drawer === undefined) return;
    for (const value of values) if (drawer.byValue.get(value)?.size === 0) drawer.byValue.delete(value);
    if (drawer.any.size === 0 && drawer.byValue.size === 0) this.drawers[of].delete(key);
  }
}

function eachIn<S>(drawers: ReadonlyMap<string, Drawer<S>>, labels: Labels, act: (selector: S) => void): void {
  if (drawers.size === 0) return;
  for (const key of Object.keys(labels)) {
    const drawer = drawers.get(key);
    if (drawer === undefined) continue;
    drawer.any.forEach(act);
    drawer.byValue.get(labels[key]!)?.forEach(act);
  }
}
