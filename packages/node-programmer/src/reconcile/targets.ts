/** Where the plan's ports live, and the patch pairs towards them. Called by the reconciler. */
import { patchEnds } from "../ports";
import type { PortOutcome, Ports, PortSpec } from "../ports";

/** Whether a bridge can be programmed at all. */
type IsProgrammed = (bridge: string) => boolean;

/**
 * Makes every port of the plan, each on one bridge: where it is already, else the first that has Pods for it, else
 * `fallback`, so that the port is there before its first Pod. Pods' bridges other than that get a patch pair per target;
 * what comes back from a device goes back through it.
 */
export async function makePorts(
  ports: Ports,
  specs: Iterable<PortSpec>,
  targets: ReadonlySet<string>,
  wantedOn: ReadonlyMap<string, readonly string[]>,
  isProgrammed: IsProgrammed,
  fallback: string | undefined,
): Promise<Map<string, PortOutcome>> {
  const made = new Map<string, PortOutcome>();
  const patches = new Map<string, { spec: PortSpec; bridge: string }>();
  await Promise.all(
    [...specs].map(async (spec) => {
      const bridges = (wantedOn.get(spec.name) ?? []).filter(isProgrammed);
      const home = bridges[0] ?? fallback;
      if (home === undefined) return;
      const outcome = await ports.ensure(spec, home);
      made.set(spec.name, outcome);
      if (outcome.ofport === undefined || !targets.has(spec.name)) return;
      for (const bridge of bridges) {
        if (bridge === outcome.bridge) continue;
        const ends = patchEnds(bridge, outcome.bridge, spec.name);
        patches.set(ends.out.name, { spec: ends.out, bridge });
        patches.set(ends.in.name, { spec: ends.in, bridge: outcome.bridge });
      }
    }),
  );
  for (const end of await Promise.all([...patches.values()].map(({ spec, bridge }) => ports.ensure(spec, bridge))))
    made.set(end.spec.name, end);
  return made;
}
