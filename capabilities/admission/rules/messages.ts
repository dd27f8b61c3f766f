/**
 * Every message of a single-object rule. The CEL rules of crds/trafficcontrols.yaml say the same, word for word (a unit
 * test compares them), so that a user reads one sentence whichever of the two answers. The API server and the webhook put
 * path, kind and value before the message; it repeats none of them.
 */
const KINDS_OF_TARGET = "ovsInternal, device, geneve, vxlan, gre, erspan";
const KINDS_OF_RETURN = "ovsInternal, device, geneve, vxlan, gre";

export const MESSAGES = {
  returnPortRequired: `action Redirect needs the port where the packets come back: one of ${KINDS_OF_RETURN}`,
  returnPortForbidden:
    "copies do not come back, so action Mirror has no return port: did you mean action: Redirect? Otherwise leave returnPort out",
  returnPortOtherKind: "has the name of targetPort and is of another kind: one name is one port",
  erspanRedirect: "ERSPAN carries copies only: use action: Mirror, or another kind of targetPort with Redirect",
  targetKindMissing: `say where the packets go: exactly one of ${KINDS_OF_TARGET}`,
  targetKindTwice: `the packets go to one port: keep one of ${KINDS_OF_TARGET}`,
  returnKindMissing: `say where the packets come back: exactly one of ${KINDS_OF_RETURN}`,
  returnKindTwice: `the packets come back through one port: keep one of ${KINDS_OF_RETURN}`,
  interfaceName:
    "must be the name of a Linux interface: 1 to 15 letters, digits, '_', '-' or '.', the first a letter, digit or '_'",
  remoteIP:
    "must be one IPv4 or IPv6 address of another machine, such as 10.0.10.2 or fd00::2: unicast, neither loopback nor link-local, without port, prefix length or zone",
  destinationPort: "must be from 1 to 65535",
  vni: "must be from 0 to 16777215",
  greKey: "must be from 0 to 4294967295",
  erspanSessionID: "must be from 0 to 1023",
  erspanIndex: "must be from 0 to 1048575",
  erspanDir: "must be 0 (ingress) or 1 (egress)",
  erspanHardwareID: "must be from 0 to 63",
  erspanVersion1Only: "is a field of ERSPAN version 1: leave it out, or set version: 1",
  erspanVersion2Only: "is a field of ERSPAN version 2: leave it out, or set version: 2",
  labelKeys:
    "must be label keys: an optional DNS name and '/', then 1 to 63 letters, digits, '-', '_' or '.', the first and the last a letter or digit",
  labelKey:
    "must be a label key: an optional DNS name and '/', then 1 to 63 letters, digits, '-', '_' or '.', the first and the last a letter or digit",
  labelValue:
    "must be a label value: empty, or up to 63 letters, digits, '-', '_' or '.', the first and the last a letter or digit",
  valuesRequired: "must be specified when `operator` is 'In' or 'NotIn'",
  valuesForbidden: "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
} as const;

/** What the schema's own keywords say; the API server's words, so that there is nothing to keep equal but these. */
export const SCHEMA = {
  tooLong: (bytes: number): string => `may not be more than ${bytes} bytes`,
  tooMany: (items: number): string => `must have at most ${items} items`,
  notSupported: (values: readonly (string | number)[]): string =>
    `supported values: ${values.map((value) => `"${value}"`).join(", ")}`,
} as const;
