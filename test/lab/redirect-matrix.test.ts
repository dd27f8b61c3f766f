/** Redirects through every kind of device on a switched bridge. */
import { SWITCHED } from "../support/lab/matrix/peers";
import { REDIRECT_KINDS, redirectMatrix } from "../support/lab/matrix/redirect";

redirectMatrix("redirected packets", {
  network: SWITCHED,
  kinds: REDIRECT_KINDS,
  directions: ["Ingress", "Egress", "Both"],
});
