/** Where a kind of object is in the API server's URL space. */

export interface Resource {
  /** "" for the core group. */
  group: string;
  version: string;
  plural: string;
}

export const RESOURCES = {
  pods: { group: "", version: "v1", plural: "pods" },
  namespaces: { group: "", version: "v1", plural: "namespaces" },
  configMaps: { group: "", version: "v1", plural: "configmaps" },
  nodes: { group: "", version: "v1", plural: "nodes" },
  deployments: { group: "apps", version: "v1", plural: "deployments" },
  jobs: { group: "batch", version: "v1", plural: "jobs" },
  leases: { group: "coordination.k8s.io", version: "v1", plural: "leases" },
  customResourceDefinitions: { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" },
  events: { group: "events.k8s.io", version: "v1", plural: "events" },
} as const satisfies Record<string, Resource>;

export interface ObjectPath {
  resource: Resource;
  namespace?: string;
  name?: string;
  subresource?: string;
}

/** `/apis/batch/v1/namespaces/x/jobs/y/status`; every segment is encoded. */
export function pathOf({ resource, namespace, name, subresource }: ObjectPath): string {
  const root = resource.group === "" ? ["api"] : ["apis", resource.group];
  const segments = [...root, resource.version];
  if (namespace !== undefined) segments.push("namespaces", namespace);
  segments.push(resource.plural);
  if (name !== undefined) segments.push(name);
  if (subresource !== undefined) segments.push(subresource);
  return `/${segments.map(encodeURIComponent).join("/")}`;
}
