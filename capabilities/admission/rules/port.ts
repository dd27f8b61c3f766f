/** Rules of targetPort and returnPort: one of the kinds, and the fields of each. */
import { checkAddress } from "./address";
import { has, integer, object, oneOf, text, type Field, type Rule } from "./field";
import { MESSAGES } from "./messages";
import type { Mistake } from "./mistake";

const interfaceName = text(15, (name) =>
  /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name) ? undefined : { message: MESSAGES.interfaceName },
);
const remoteIP = text(64, checkAddress);
const needsRemoteIP = { remoteIP: "the address of the tunnel's far end, such as 10.0.10.2" };
const destinationPort = integer(1, 65535, MESSAGES.destinationPort);
const vni = integer(0, 16777215, MESSAGES.vni);

const local = object({ name: interfaceName }, { name: "the name of the interface on the node" });
const udpTunnel = object({ remoteIP, destinationPort, vni }, needsRemoteIP);

const RETURN_KINDS = {
  ovsInternal: local,
  device: local,
  geneve: udpTunnel,
  vxlan: udpTunnel,
  gre: object({ remoteIP, key: integer(0, 4294967295, MESSAGES.greKey) }, needsRemoteIP),
};
const TARGET_KINDS = {
  ...RETURN_KINDS,
  erspan: object(
    {
      remoteIP,
      version: oneOf(1, 2),
      sessionID: integer(0, 1023, MESSAGES.erspanSessionID),
      index: integer(0, 1048575, MESSAGES.erspanIndex),
      dir: integer(0, 1, MESSAGES.erspanDir),
      hardwareID: integer(0, 63, MESSAGES.erspanHardwareID),
    },
    { ...needsRemoteIP, version: "1 for ERSPAN type II or 2 for type III" },
    onlyInVersion(1, "index", MESSAGES.erspanVersion1Only),
    onlyInVersion(2, "dir", MESSAGES.erspanVersion2Only),
    onlyInVersion(2, "hardwareID", MESSAGES.erspanVersion2Only),
  ),
};

export const targetPort = object(
  TARGET_KINDS,
  {},
  exactlyOne(Object.keys(TARGET_KINDS), MESSAGES.targetKindMissing, MESSAGES.targetKindTwice),
);
export const returnPort = object(
  RETURN_KINDS,
  {},
  exactlyOne(Object.keys(RETURN_KINDS), MESSAGES.returnKindMissing, MESSAGES.returnKindTwice),
);

function exactlyOne(kinds: string[], none: string, several: string): Rule {
  return ({ path, value }) => {
    const set = kinds.filter((kind) => has(value, kind));
    if (set.length === 0) return [{ path, kind: "Required", message: none }];
    return set.length === 1 ? [] : [{ path, kind: "Forbidden", message: several, hint: `there are ${set.join(", ")}` }];
  };
}

/** Says nothing about a version that is itself a mistake. */
function onlyInVersion(version: 1 | 2, name: string, message: string): Rule {
  return ({ path, value }: Field): Mistake[] => {
    const other = version === 1 ? 2 : 1;
    const versionHere = (value as { version?: unknown }).version;
    return has(value, name) && versionHere === other ? [{ path: `${path}.${name}`, kind: "Forbidden", message }] : [];
  };
}
