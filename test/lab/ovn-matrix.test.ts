/**
 * Mirrors to every kind of target and redirects through every kind of device, on real OVN: on one logical switch and through
 * the router, on one node and over Geneve. Some stand for all of them, unless there is time.
 */
import type { Direction } from "@ovs-traffic-control/api";
import { MIRROR_KINDS, mirrorMatrix } from "../support/lab/matrix/mirror";
import { ON_OVN } from "../support/lab/matrix/peers";
import { REDIRECT_KINDS, redirectMatrix } from "../support/lab/matrix/redirect";
import { IS_LONG } from "../support/slow";

const directions: Direction[] = IS_LONG ? ["Ingress", "Egress", "Both"] : ["Both"];
const some = <T extends { title: string }>(kinds: readonly T[], titles: readonly string[]): T[] =>
  kinds.filter(({ title }) => IS_LONG || titles.includes(title));

mirrorMatrix("mirrored packets on OVN", {
  network: ON_OVN,
  kinds: some(MIRROR_KINDS, ["geneve over IPv6 on a port of its own"]),
  directions,
});

redirectMatrix("redirected packets on OVN", {
  network: ON_OVN,
  kinds: some(REDIRECT_KINDS, ["ovsInternal to device"]),
  directions,
});
