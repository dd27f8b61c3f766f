/**
 * A target lives on one bridge; packets of Pods of another bridge of the node reach it through a pair of patch ports of
 * their own, so that what arrives there needs no further look. Redirected ones come back through the pair by which they
 * have reached the return port's bridge. Pure.
 */
import { createHash } from "node:crypto";
import type { PortSpec } from "./spec";

export interface PatchEnds {
  /** On the Pods' bridge: copies leave here. */
  out: PortSpec;
  /** On the target's bridge: copies arrive here. */
  in: PortSpec;
}

/** From the bridge of the target's Pods. */
export function patchEnds(from: string, to: string, target: string): PatchEnds {
  return ends(target, [from, to, target]);
}

/** From the bridge of a return port: nothing comes back by this pair, so it is never the same as the one above. */
export function onwardEnds(from: string, to: string, target: string): PatchEnds {
  return ends(target, [from, to, target, "onward"]);
}

function ends(target: string, identity: readonly string[]): PatchEnds {
  const hash = createHash("sha256").update(identity.join("|")).digest("hex").slice(0, 8);
  const names = { out: `tc-po-${hash}`, in: `tc-pi-${hash}` };
  const end = (name: string, peer: string): PortSpec => ({
    name,
    kind: "patch",
    type: "patch",
    options: { peer },
    tunnel: null,
    serves: target,
  });
  return { out: end(names.out, names.in), in: end(names.in, names.out) };
}
