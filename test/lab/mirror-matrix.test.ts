/** Mirrors to every kind of target on a switched bridge. */
import { IN_KERNEL } from "../support/lab";
import { MIRROR_KINDS, mirrorMatrix } from "../support/lab/matrix/mirror";
import { SWITCHED } from "../support/lab/matrix/peers";
import { IS_LONG } from "../support/slow";

mirrorMatrix("mirrored packets on the wire", {
  network: SWITCHED,
  kinds: MIRROR_KINDS,
  // In the virtual machine each of them takes a minute: one stands for all there, unless there is time.
  directions: IN_KERNEL && !IS_LONG ? ["Both"] : ["Ingress", "Egress", "Both"],
});
