/**
 * A target lives on one bridge; packets of Pods of another bridge of the node reach it through a pair of patch ports of
 * their own, so that what arrives there needs no further look. Redirected ones come back through the same pair. Pure.
 */
import { createHash } from "node:crypto";
import type { PortSpec } from "./spec";

export interface PatchEnds {
  /** On the Pods' bridge: copies leave here. */
  out: PortSpec;
  /** On the target's bridge: copies arrive here. */
  in: PortSpec;
}

export function patchEnds(from: string, to: string, target: string): PatchEnds {
  const hash = createHash("sha256").update([from, to, target].join("|")).digest("hex").slice(0, 8);
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
