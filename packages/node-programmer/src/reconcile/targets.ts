/** Where the plan's ports live, and the patch pairs between their bridges and the Pods'. Called by the reconciler. */
import type { PortOutcome, Ports, PortSpec } from "../ports";
import { hopsOf } from "./ways";

/** Names of the bridges that can hold a port, the better ones first. */
type HomesOf = (port: string) => readonly string[];

/**
 * Makes every port of the plan, each on one bridge: where it is already, else the first that has Pods for it, else
 * the first that may have some, so that the port is there before its first Pod. Then the patch pairs on the ways of the Pods'
 * packets; nothing leads on a bridge to a port there if its flows are not ours (`leadsOn`).
 * `rules[i]`: the target of rule i, and its return port; `bridges[i]`: those with Pods of it, in order.
 */
export async function makePorts(
  ports: Ports,
  specs: Iterable<PortSpec>,
  rules: readonly (readonly PortSpec[])[],
  bridges: readonly (readonly string[])[],
  homesOf: HomesOf,
  leadsOn: (bridge: string) => boolean,
): Promise<Map<string, PortOutcome>> {
  const made = new Map<string, PortOutcome>();
  const wanted = rules.map(([target], index) => {
    const possible = target ? homesOf(target.name) : [];
    return (bridges[index] ?? []).filter((bridge) => possible.includes(bridge));
  });
  const wantedFor = new Map<string, Set<string>>();
  rules.forEach((own, index) => {
    for (const { name } of own)
      wantedFor.set(name, new Set([...(wantedFor.get(name) ?? []), ...(wanted[index] ?? [])]));
  });
  await Promise.all(
    [...specs].map(async (spec) => {
      const homes = homesOf(spec.name);
      const home = homes.find((bridge) => wantedFor.get(spec.name)?.has(bridge)) ?? homes[0];
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
        if (!leadsOn(to)) break;
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
