/** How the installed operator's Pods are kept: replicas, budgets, spreading, probes, limits, NetworkPolicies, tokens. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";

const NAMESPACE = "ovs-traffic-control";
type Labels = Record<string, string>;

interface Container {
  image: string;
  ports: { name: string }[];
  resources: { requests?: object; limits?: { memory?: string } };
  securityContext: Record<string, unknown>;
  startupProbe?: object;
  readinessProbe?: object;
  livenessProbe?: object;
}
interface Found {
  kind: string;
  metadata: { name: string };
  automountServiceAccountToken?: boolean;
  status: Record<string, unknown>;
  spec: {
    replicas: number;
    selector: { matchLabels: Labels };
    podSelector: { matchLabels: Labels };
    policyTypes: string[];
    ingress?: { ports: { port: string | number }[] }[];
    egress: { ports: { port: number; protocol: string }[] }[];
    template: {
      metadata: { labels: Labels };
      spec: {
        serviceAccountName: string;
        securityContext: Record<string, unknown>;
        topologySpreadConstraints: { topologyKey: string; labelSelector: { matchLabels: Labels } }[];
        containers: Container[];
      };
    };
  };
}

const KINDS = "deployments,poddisruptionbudgets,networkpolicies,serviceaccounts";

for (const component of ["admission", "controller"])
  describe(`the Deployment of the ${component}`, () => {
    const name = `ovs-traffic-control-${component}`;
    let all: Found[] = [];
    const one = (kind: string): Found => {
      const found = all.find((each) => each.kind === kind && each.metadata.name === name);
      assert.ok(found, `there is no ${kind} ${name}`);
      return found;
    };

    before(async () => {
      all = await list(KINDS);
    });

    it("has two Pods on nodes of their own where it can, of which a budget lets one go at a time", async () => {
      const { replicas, template } = one("Deployment").spec;
      assert.equal(replicas, 2);
      const [constraint] = template.spec.topologySpreadConstraints;
      assert.equal(constraint?.topologyKey, "kubernetes.io/hostname");
      assert.ok(matches(constraint.labelSelector.matchLabels, template.metadata.labels));
      await eventually("the budget counts both", async () => {
        const budgets = await list("poddisruptionbudgets");
        const { expectedPods, currentHealthy, disruptionsAllowed } = budgets.find(
          ({ metadata }) => metadata.name === name,
        )!.status;
        return isDeepStrictEqual([expectedPods, currentHealthy, disruptionsAllowed], [2, 2, 1]);
      });
    });

    it("is probed, has a limit of memory, and no more rights on the node than it needs", () => {
      const { containers, securityContext } = one("Deployment").spec.template.spec;
      assert.equal(containers.length, 1);
      const [container] = containers as [Container];
      for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"] as const)
        assert.ok(container[probe], probe);
      assert.ok(container.resources.requests !== undefined && container.resources.limits?.memory !== undefined);
      const both = { ...securityContext, ...container.securityContext };
      assert.deepEqual(
        [both["runAsNonRoot"], both["readOnlyRootFilesystem"], both["allowPrivilegeEscalation"]],
        [true, true, false],
      );
      assert.deepEqual([both["seccompProfile"], both["capabilities"]], [{ type: "RuntimeDefault" }, { drop: ["ALL"] }]);
    });

    it("is reached on its own ports only, and reaches the API server only", async () => {
      const { podSelector, policyTypes, ingress = [], egress } = one("NetworkPolicy").spec;
      const { metadata, spec } = one("Deployment").spec.template;
      assert.ok(matches(podSelector.matchLabels, metadata.labels));
      assert.deepEqual(policyTypes.toSorted(), ["Egress", "Ingress"]);
      const open = ingress.flatMap(({ ports }) => ports.map(({ port }) => port)).sort();
      assert.deepEqual(open, spec.containers[0]!.ports.map((port) => port.name).sort());
      const allowed = egress.flatMap(({ ports }) => ports.map(({ port }) => port));
      const jsonpath = "jsonpath={.endpoints[*].addresses[*]} {.ports[*].port}";
      const slice = ["get", "endpointslice", "-n", "default", "kubernetes", "-o", jsonpath];
      const port = Number((await stage().cluster.kubectl(slice)).split(" ").at(-1));
      assert.ok(allowed.includes(port), `the API server listens on ${port}, and ${allowed.join(" and ")} are allowed`);
    });

    it("has an account of its own, whose token nobody else gets unasked", () => {
      assert.equal(one("Deployment").spec.template.spec.serviceAccountName, name);
      assert.equal(one("ServiceAccount").automountServiceAccountToken, false);
    });
  });

async function list(kinds: string): Promise<Found[]> {
  const text = await stage().cluster.kubectl(["get", kinds, "-n", NAMESPACE, "-o", "json"]);
  return (JSON.parse(text) as { items: Found[] }).items;
}

function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
