/**
 * Antrea's CRD of TrafficControls, made again from what its schema says: same names, fields, ranges and subresource, no status and
 * no CEL (antrea-io/antrea, build/charts/antrea/crds/trafficcontrol.yaml, as of commit a82edc21f923effbea2862765289e84e98baf684:
 * the specs were compared and are equal, but for the descriptions of the columns). Used by the tests of clusters where Antrea owns the CRD.
 */
type Schema = Record<string, unknown>;

const text: Schema = { type: "string" };
const integer = (minimum: number, maximum: number): Schema => ({ type: "integer", minimum, maximum });
const oneOf = (...values: string[]): Schema => ({ type: "string", enum: values });
const object = (properties: Record<string, Schema>, ...required: string[]): Schema => ({
  type: "object",
  ...(required.length > 0 ? { required } : {}),
  properties,
});

const remoteIP: Schema = { type: "string", oneOf: [{ format: "ipv4" }, { format: "ipv6" }] };
const named = object({ name: text }, "name");
const udp = object({ remoteIP, vni: integer(0, 16_777_215), destinationPort: integer(1, 65_535) }, "remoteIP");
const gre = object({ remoteIP, key: integer(0, 4_294_967_295) }, "remoteIP");
const erspan = object(
  {
    ...{
      remoteIP,
      sessionID: integer(0, 1023),
      version: { type: "integer", enum: [1, 2] },
      index: { type: "integer" },
    },
    ...{ dir: { type: "integer", enum: [0, 1] }, hardwareID: { type: "integer" } },
  },
  "remoteIP",
  "version",
);

const back = { ovsInternal: named, device: named, geneve: udp, vxlan: udp, gre };
const port = (kinds: Record<string, Schema>): Schema => ({
  type: "object",
  oneOf: Object.keys(kinds).map((kind) => ({ required: [kind] })),
  properties: kinds,
});

const selector = object({
  matchExpressions: {
    type: "array",
    items: object({
      key: text,
      operator: oneOf("In", "NotIn", "Exists", "DoesNotExist"),
      values: { type: "array", items: { type: "string", pattern: "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$" } },
    }),
  },
  matchLabels: { "x-kubernetes-preserve-unknown-fields": true },
});

const column = (field: string): object => ({
  ...{ name: `${field.charAt(0).toUpperCase()}${field.slice(1)}`, type: "string", jsonPath: `.spec.${field}` },
});

/** A fresh object each time. */
export function antreaDefinition(): { apiVersion: string; kind: string; metadata: { name: string }; spec: Schema } {
  const spec = object(
    {
      appliedTo: object({ podSelector: selector, namespaceSelector: selector }),
      direction: oneOf("Ingress", "Egress", "Both"),
      action: oneOf("Mirror", "Redirect"),
      targetPort: port({ ...back, erspan }),
      returnPort: port(back),
    },
    ...["appliedTo", "direction", "action", "targetPort"],
  );
  const names = { plural: "trafficcontrols", singular: "trafficcontrol", kind: "TrafficControl", shortNames: ["tc"] };
  const version = {
    ...{ name: "v1alpha2", served: true, storage: true, subresources: { status: {} } },
    schema: { openAPIV3Schema: object({ spec }, "spec") },
    additionalPrinterColumns: [
      column("direction"),
      column("action"),
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    ],
  };
  return structuredClone({
    ...{ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" },
    metadata: { name: "trafficcontrols.crd.antrea.io" },
    spec: { group: "crd.antrea.io", scope: "Cluster", names, versions: [version] },
  });
}
