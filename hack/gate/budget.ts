/** How long the gate may take: the one place where that is decided. Used by main.ts. */

/** Minutes for everything, and for each suite, in the order in which they run. */
interface Budget {
  total: number;
  /** When the running suite is ended, so that a hang never lasts. More than the total: a first run builds Kubernetes. */
  limit: number;
  suites: Record<SuiteName, number>;
}

export type SuiteName = "lint" | "unit" | "lab" | "kernel" | "e2e" | "e2e-ovn";

/** Milliseconds of the total that are kept back for taking everything down. */
export const CLEAN_UP = 60_000;

/** `npm test`. The e2e suite's share contains what is left of the builds when its turn comes, the cluster and the deployment. */
const NORMAL: Budget = {
  total: 20,
  limit: 55,
  suites: { lint: 1.5, unit: 1.5, lab: 4.5, kernel: 1.5, e2e: 9.5, "e2e-ovn": 1.5 },
};

/** `npm run test:long`. */
const LONG: Budget = {
  total: 180,
  limit: 200,
  suites: { lint: 2.5, unit: 5, lab: 60, kernel: 30, e2e: 50, "e2e-ovn": 32.5 },
};

/**
 * The budget of this run. A suite that exceeds its share is only said to; at the limit the running suite is ended and
 * counts as failed. GATE_MINUTES, the total, stretches everything on a slow machine.
 */
export function budget(long: boolean, minutes: string | undefined): Budget {
  const base = long ? LONG : NORMAL;
  const wanted = Number(minutes ?? base.total);
  if (!(wanted > 1)) throw new Error(`GATE_MINUTES is "${minutes ?? ""}": write a number of minutes, such as 40.`);
  const factor = wanted / base.total;
  const suites = Object.entries(base.suites).map(([name, share]) => [name, share * factor]);
  return {
    total: wanted,
    limit: base.limit * factor,
    suites: Object.fromEntries(suites) as Budget["suites"],
  };
}
