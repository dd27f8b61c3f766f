/** Where the plan's ports live, and the patch pairs between their bridges and the Pods'. Called by the reconciler. */
import type { PortOutcome, Ports, PortSpec } from "../ports";
import { hopsOf } from "./ways";

/** Whether a bridge can be programmed at all. */
type IsProgrammed = (bridge: string) => boolean;

/**
 * Makes every port of the plan, each on one bridge: where it is already, else the first that has Pods for it, else
 * `fallback`, so that the port is there before its first Pod. Then the patch pairs on the ways of the Pods' packets.
 * `rules[i]`: the target of rule i, and its return port; `bridges[i]`: those with Pods of it, in order.
 */
export async function makePorts(
  ports: Ports,
  specs: Iterable<PortSpec>,
  rules: readonly (readonly PortSpec[])[],
  bridges: readonly (readonly string[])[],
  isProgrammed: IsProgrammed,
  fallback: string | undefined,
): Promise<Map<string, PortOutcome>> {
  const made = new Map<string, PortOutcome>();
  const wanted = bridges.map((names) => names.filter(isProgrammed));
  const homes = new Map<string, string>();
  rules.forEach((own, index) => {
    for (const { name } of own)
      for (const bridge of wanted[index] ?? [])
        homes.set(name, [homes.get(name) ?? bridge, bridge].sort()[0] ?? bridge);
  });
  await Promise.all(
    [...specs].map(async (spec) => {
      const home = homes.get(spec.name) ?? fallback;
      if (home !== undefined) made.set(spec.name, await ports.ensure(spec, home));
    }),
  );
  const patches = new Map<string, { spec: PortSpec; bridge: string }>();
  rules.forEach(([target, back], index) => {
    const outcome = target && made.get(target.name);
    if (outcome?.ofport === undefined) return;
    for (const bridge of wanted[index] ?? []) {
      let from = bridge;
      for (const { to, ends } of hopsOf(bridge, outcome, back && made.get(back.name))) {
        patches.set(ends.out.name, { spec: ends.out, bridge: from });
        patches.set(ends.in.name, { spec: ends.in, bridge: to });
        from = to;
      }
    }
  });
  for (const end of await Promise.all([...patches.values()].map(({ spec, bridge }) => ports.ensure(spec, bridge))))
    made.set(end.spec.name, end);
  return made;
}
