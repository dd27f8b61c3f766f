/** What each ServiceAccount may do, in full: a right that is not in this table is a mistake, and so is one that is missing. */
import assert from "node:assert/strict";
import { NODES_NAMESPACE, RELEASE_NAMESPACE, chartFile, objects } from "./templates";

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}
interface RbacObject {
  kind: string;
  metadata: { name: string; namespace?: string };
  rules?: Rule[];
  roleRef?: { kind: string; name: string };
  subjects?: { kind: string; name: string; namespace: string }[];
}

const all = [
  "rbac-admission.yaml",
  "rbac-controller.yaml",
  "rbac-certificates.yaml",
  "rbac-programmer.yaml",
  "rbac-pepr-store.yaml",
].flatMap((template) => objects<RbacObject>(template));

const ADMISSION = `${RELEASE_NAMESPACE}/ovs-traffic-control-admission`;
const CONTROLLER = `${RELEASE_NAMESPACE}/ovs-traffic-control-controller`;
const PROGRAMMER = `${NODES_NAMESPACE}/ovs-traffic-control-programmer`;

const PEPR_STORE = [
  "pepr-system: create peprstores.pepr.dev",
  "pepr-system: get list patch watch peprstores.pepr.dev named pepr-traffic-control-schedule,pepr-traffic-control-store",
];

const RIGHTS: Record<string, string[]> = {
  [ADMISSION]: [
    ...PEPR_STORE,
    `${RELEASE_NAMESPACE}: get secrets named ovs-traffic-control-webhook-tls`,
    "everywhere: get list watch trafficcontrols.crd.antrea.io",
    "everywhere: get list watch nodes",
  ],
  [CONTROLLER]: [
    ...PEPR_STORE,
    "default: create events.events.k8s.io",
    "kube-system: get list watch configmaps named antrea-config",
    "everywhere: get list watch customresourcedefinitions.apiextensions.k8s.io named trafficcontrols.crd.antrea.io",
    "everywhere: create delete get list patch watch nodetrafficplans.ovs-traffic-control.dev",
    "everywhere: get list patch watch trafficcontrols.crd.antrea.io",
    "everywhere: get list watch namespaces",
    "everywhere: get list watch nodes",
    "everywhere: get list watch pods",
    "everywhere: get patch mutatingwebhookconfigurations.admissionregistration.k8s.io named ovs-traffic-control",
    "everywhere: get patch validatingwebhookconfigurations.admissionregistration.k8s.io named ovs-traffic-control",
    "everywhere: patch trafficcontrols/status.crd.antrea.io",
    `${NODES_NAMESPACE}: create delete get list watch jobs.batch`,
    `${RELEASE_NAMESPACE}: create leases.coordination.k8s.io`,
    `${RELEASE_NAMESPACE}: create secrets`,
    `${RELEASE_NAMESPACE}: get update leases.coordination.k8s.io named ovs-traffic-control-controller`,
    `${RELEASE_NAMESPACE}: patch deployments/scale.apps named ovs-traffic-control-controller`,
    `${RELEASE_NAMESPACE}: get update secrets named ovs-traffic-control-webhook-tls`,
  ],
  [PROGRAMMER]: [
    "everywhere: get list watch nodetrafficplans.ovs-traffic-control.dev",
    "everywhere: patch nodetrafficplans/status.ovs-traffic-control.dev",
  ],
};

describe("the rights in oneShot mode", () => {
  it("are besides to write a plan's status and the file for the Job, and nothing else", () => {
    const roles = objects<RbacObject>("rbac-one-shot.yaml").filter(({ rules }) => rules !== undefined);
    assert.deepEqual(
      roles.flatMap(({ metadata, rules }) => rules!.flatMap((rule) => lines(metadata.namespace ?? "everywhere", rule))),
      [
        "everywhere: patch nodetrafficplans/status.ovs-traffic-control.dev",
        `${NODES_NAMESPACE}: create patch configmaps`,
      ],
    );
  });
});

describe("the rights that the chart gives", () => {
  for (const [account, rights] of Object.entries(RIGHTS))
    it(`are for ${account.split("/")[1] ?? ""} those of the table and no others`, () => {
      assert.deepEqual(rightsOf(account), [...rights].sort());
    });

  it("go to ServiceAccounts of the chart only, each of which has some", () => {
    const accounts = all.filter(({ kind }) => kind === "ServiceAccount").map(identity);
    const subjects = all.flatMap(({ subjects: found = [] }) =>
      found.map(({ namespace, name }) => `${namespace}/${name}`),
    );
    assert.deepEqual([...new Set(subjects)].sort(), accounts.sort());
    assert.deepEqual(Object.keys(RIGHTS).sort(), accounts);
  });

  it("are for people in two ClusterRoles, which are part of no other role", () => {
    const people = objects<RbacObject>("rbac-users.yaml");
    assert.deepEqual(
      people.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      ["ClusterRole ovs-traffic-control-viewer", "ClusterRole ovs-traffic-control-editor"],
    );
    assert.doesNotMatch(chartFile("templates/rbac-users.yaml"), /aggregate-to/);
  });

  it("name no wildcard", () => {
    const named = all.flatMap(({ rules = [] }) =>
      rules.flatMap((rule) => [...rule.apiGroups, ...rule.resources, ...rule.verbs]),
    );
    assert.ok(named.length > 0);
    assert.deepEqual(
      named.filter((name) => name.includes("*")),
      [],
    );
  });
});

/** Every right, as a line: where, verbs, resource and names. */
function rightsOf(account: string): string[] {
  const bindings = all.filter(({ subjects = [] }) =>
    subjects.some(({ namespace, name }) => `${namespace}/${name}` === account),
  );
  return bindings
    .flatMap(({ kind, metadata, roleRef }) => {
      const role = all.find((object) => {
        const inside = kind === "ClusterRoleBinding" || object.metadata.namespace === metadata.namespace;
        return object.kind === roleRef?.kind && object.metadata.name === roleRef.name && inside;
      });
      assert.ok(role?.rules, `${metadata.name} is bound to a role that is not in the chart`);
      return role.rules.flatMap((rule) => lines(metadata.namespace ?? "everywhere", rule));
    })
    .sort();
}

function lines(where: string, { apiGroups, resources, resourceNames, verbs }: Rule): string[] {
  const names = resourceNames ? ` named ${[...resourceNames].sort().join(",")}` : "";
  return apiGroups.flatMap((group) =>
    resources.map(
      (resource) => `${where}: ${[...verbs].sort().join(" ")} ${group ? `${resource}.${group}` : resource}${names}`,
    ),
  );
}

function identity({ metadata }: RbacObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
