/** The chart's ValidatingAdmissionPolicies and roles for people, on the real API server. Claims of docs/threat-model.md. */
import assert from "node:assert/strict";
import path from "node:path";
import { ANNOTATIONS, type ReturnPort } from "@ovs-traffic-control/api";
import { helm } from "../../hack/deploy/helm";
import { COLLECTOR_ADDRESS } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { mirror, tap, TEST_LABEL } from "../support/e2e/taps";

const CHART = path.join(import.meta.dirname, "../../charts/ovs-traffic-control");
const NAMESPACE = "ovs-traffic-control";
const JOBS = "ovs-traffic-control-nodes";
const CONTROLLER = `system:serviceaccount:${NAMESPACE}:ovs-traffic-control-controller`;
const JOB_CONTROLLER = "system:serviceaccount:kube-system:job-controller";
const TARGET = { vxlan: { remoteIP: COLLECTOR_ADDRESS } };
const RBAC = "rbac.authorization.k8s.io";

interface Answer {
  exitCode: number;
  stdout: string;
  stderr: string;
}

function kubectl(args: string[], input?: object): Promise<Answer> {
  return stage().cluster.host("kubectl", args, input && { input: JSON.stringify(input) });
}

/** A dry run: admission decides, and nothing is written. */
function create(object: object, ...more: string[]): Promise<Answer> {
  return kubectl(["create", "--dry-run=server", "-f", "-", ...more], object);
}

function assertRefused({ exitCode, stderr }: Answer, why: RegExp): void {
  assert.match(stderr, why);
  assert.notEqual(exitCode, 0);
}

function assertAllowed({ exitCode, stderr }: Answer): void {
  assert.equal(exitCode, 0, stderr);
}

describe("the namespace of the Jobs", () => {
  const template = {
    spec: { restartPolicy: "Never", containers: [{ name: "c", image: "localhost/busybox:1", command: ["true"] }] },
  };
  const metadata = { name: "e2e-intruder", namespace: JOBS };
  const pod = { apiVersion: "v1", kind: "Pod", metadata, ...template };
  const job = { apiVersion: "batch/v1", kind: "Job", metadata, spec: { template } };

  it("takes Jobs from the controller only, not even from the cluster's administrator", async () => {
    assertRefused(await create(job), /are made by the controller of ovs-traffic-control only, not by /);
    assertAllowed(await create(job, "--as", CONTROLLER));
  });

  it("takes Pods from the Job controller only", async () => {
    assertRefused(await create(pod), /are made by the Job controller only, not by /);
    assertRefused(await create(pod, "--as", CONTROLLER, "--as-group", "system:masters"), /by the Job controller only/);
    assertAllowed(await create(pod, "--as", JOB_CONTROLLER, "--as-group", "system:masters"));
  });

  it("takes no Pods of other controllers either: a Deployment there stays without", async () => {
    const replicaSets = "system:serviceaccount:kube-system:replicaset-controller";
    assertRefused(await create(pod, "--as", replicaSets), /are made by the Job controller only/);
  });

  it("lets nobody into a programmer's Pod, and shows its log", async () => {
    await tap(stage().objects, mirror("e2e-exec", TARGET));
    const programmer = await aProgrammer();
    assertRefused(await kubectl(["exec", "--namespace", JOBS, programmer, "--", "true"]), /Nobody gets into the Pods/);
    assertRefused(await kubectl(["attach", "--namespace", JOBS, programmer]), /Nobody gets into the Pods/);
    const debug = ["debug", "--namespace", JOBS, programmer, "--image", "localhost/busybox:1", "--profile", "general"];
    assertRefused(await kubectl(debug), /are not changed/);
    const image = { spec: { containers: [{ name: "node-programmer", image: "localhost/busybox:1" }] } };
    const patch = ["patch", "pod", "--namespace", JOBS, programmer, "--patch", JSON.stringify(image)];
    assertRefused(await kubectl(patch), /are not changed/);
    assertAllowed(await kubectl(["logs", "--namespace", JOBS, programmer, "--tail", "1"]));
  });
});

describe("the author of a TrafficControl", () => {
  const forged = { metadata: { annotations: { [ANNOTATIONS.lastChangedBy]: "somebody-else" } } };

  function forge(): Promise<Answer> {
    return kubectl(["patch", "tc", "e2e-author", "--type=merge", "--patch", JSON.stringify(forged)]);
  }

  it("cannot be forged: not while the webhook puts it right, and not while no admission Pod runs", async () => {
    await tap(stage().objects, mirror("e2e-author", TARGET));
    const author = [
      "get",
      "tc",
      "e2e-author",
      "-o",
      `jsonpath={.metadata.annotations.${escape(ANNOTATIONS.lastChangedBy)}}`,
    ];
    const before = (await kubectl(author)).stdout;
    assert.notEqual(before, "");
    assertAllowed(await forge());
    assert.equal((await kubectl(author)).stdout, before);
    await scaleAdmission(0);
    try {
      // Pods that end still answer for a moment, and put it right.
      const refusal = await eventually("a forged author is refused", async () => {
        const { exitCode, stderr } = await forge();
        return exitCode !== 0 && stderr;
      });
      assert.match(refusal, /is written by ovs-traffic-control: leave it out/);
      assert.equal((await kubectl(author)).stdout, before);
    } finally {
      await scaleAdmission(2);
    }
  });

  it("is the account that asks, whoever the manifest names", async () => {
    const object = mirror("e2e-author-new", TARGET);
    const answer = await kubectl(["create", "--dry-run=server", "-o", "json", "-f", "-"], {
      ...object,
      metadata: { ...object.metadata, ...forged.metadata },
    });
    assertAllowed(answer);
    assert.doesNotMatch(answer.stdout, /somebody-else/);
  });
});

describe("the roles for people", () => {
  const user = ["--as", "e2e-alice"];
  const binding = (role: string): object => ({
    ...{ apiVersion: `${RBAC}/v1`, kind: "ClusterRoleBinding", metadata: { name: "e2e-alice", labels: TEST_LABEL } },
    roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: role },
    subjects: [{ apiGroup: RBAC, kind: "User", name: "e2e-alice" }],
  });

  afterEach(() => kubectl(["delete", "clusterrolebinding", "e2e-alice", "--ignore-not-found"]));

  const may = async (verb: string, resource: string): Promise<boolean> =>
    (await kubectl(["auth", "can-i", verb, resource, ...user])).stdout.trim() === "yes";

  const TABLE: [role: string, reads: boolean, writes: boolean][] = [
    ["ovs-traffic-control-viewer", true, false],
    ["ovs-traffic-control-editor", true, true],
    ["edit", false, false],
    ["admin", false, false],
    ["view", false, false],
  ];
  for (const [role, reads, writes] of TABLE)
    it(`${role} ${reads ? "reads" : "does not read"} TrafficControls and ${writes ? "writes" : "does not write"} them`, async () => {
      await kubectl(["apply", "-f", "-"], binding(role));
      await eventually("the binding is known", () => may("list", role.startsWith("ovs") ? "trafficcontrols" : "pods"));
      for (const verb of ["get", "list", "watch"]) assert.equal(await may(verb, "trafficcontrols"), reads, verb);
      for (const verb of ["create", "update", "patch", "delete"])
        assert.equal(await may(verb, "trafficcontrols"), writes, verb);
      assert.equal(await may("list", "nodetrafficplans.ovs-traffic-control.dev"), reads);
      assert.equal(await may("patch", "nodetrafficplans.ovs-traffic-control.dev"), false);
    });
});

describe("the annotation by which a Namespace opts out", () => {
  it("is not for those who have Kubernetes' own roles in the Namespace", async () => {
    for (const role of ["edit", "admin"]) {
      const { rules } = JSON.parse((await kubectl(["get", "clusterrole", role, "-o", "json"])).stdout) as {
        rules: { apiGroups?: string[]; resources?: string[]; verbs: string[] }[];
      };
      const onNamespaces = rules.filter(
        ({ apiGroups, resources }) => apiGroups?.includes("") === true && resources?.includes("namespaces") === true,
      );
      const verbs = new Set(onNamespaces.flatMap((rule) => rule.verbs));
      assert.deepEqual(
        [...verbs].filter((verb) => !["get", "list", "watch"].includes(verb)),
        [],
        role,
      );
      assert.ok(
        rules.some(({ resources }) => resources?.includes("pods")),
        `${role} has been read`,
      );
    }
  });
});

describe("tenancy and allowed targets, which are off by default", () => {
  const user = ["--as", "e2e-tenant"];
  const name = (metadata: object): object => ({ metadata: { name: "e2e-tenant", ...metadata } });
  const subjects = [{ apiGroup: RBAC, kind: "User", name: "e2e-tenant" }];
  const tapRule = { apiGroups: [""], resources: ["namespaces"], verbs: ["tap"] };
  let policies = "";

  before(async () => {
    const { cluster, namespace } = stage();
    const values = [
      "tenancy.enabled=true",
      "allowedTargets.remoteCIDRs={10.0.10.0/24,fd00::/8}",
      "allowedTargets.devices={tap0}",
    ].flatMap((value) => ["--set", value]);
    const show = ["policy-tenancy.yaml", "policy-targets.yaml"].flatMap((file) => ["--show-only", `templates/${file}`]);
    policies = await helm(cluster, [
      ...["template", "ovs-traffic-control", CHART, "--namespace", NAMESPACE, "--kube-version", "1.36.0"],
      ...values,
      ...show,
    ]);
    await cluster.kubectl(["apply", "-f", "-"], { input: policies });
    const api = `${RBAC}/v1`;
    const editor = { apiGroup: RBAC, kind: "ClusterRole", name: "ovs-traffic-control-editor" };
    const role = { apiGroup: RBAC, kind: "Role", name: "e2e-tenant" };
    for (const object of [
      { apiVersion: api, kind: "ClusterRoleBinding", ...name({}), roleRef: editor, subjects },
      { apiVersion: api, kind: "Role", ...name({ namespace }), rules: [tapRule] },
      { apiVersion: api, kind: "RoleBinding", ...name({ namespace }), roleRef: role, subjects },
    ])
      await cluster.kubectl(["apply", "-f", "-"], { input: JSON.stringify(object) });
    await eventually("the policies are in force", async () => {
      const answer = await create(mirror("e2e-tenant", { device: { name: "eth9" } }));
      return answer.stderr.includes("is not among the devices");
    });
    await eventually("the tenant may create", async () => (await create(wanting({}), ...user)).exitCode === 0);
  });

  after(async () => {
    const { cluster, namespace } = stage();
    await cluster.kubectl(["delete", "--ignore-not-found", "-f", "-"], { input: policies });
    await cluster.kubectl(["delete", "clusterrolebinding/e2e-tenant", "--ignore-not-found"]);
    const inNamespace = ["role/e2e-tenant", "rolebinding/e2e-tenant", "--namespace", namespace, "--ignore-not-found"];
    await cluster.kubectl(["delete", ...inNamespace]);
  });

  /** A TrafficControl that selects the tests' namespace by name, unless said otherwise. */
  function wanting(namespaceSelector: object | undefined): object {
    const own = { matchLabels: { "kubernetes.io/metadata.name": stage().namespace } };
    const selector = namespaceSelector === undefined ? undefined : { ...own, ...namespaceSelector };
    return mirror("e2e-tenant", TARGET, { appliedTo: { podSelector: {}, namespaceSelector: selector } });
  }
  const byName = (...values: string[]): object => ({
    matchLabels: undefined,
    matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values }],
  });

  it("lets a tenant tap the Namespace on which he has the verb tap, however he pins it", async () => {
    assertAllowed(await create(wanting({}), ...user));
    assertAllowed(await create(wanting(byName(stage().namespace)), ...user));
  });

  it("refuses another Namespace, also beside his own", async () => {
    const refusal = /e2e-tenant may not tap the namespace default/;
    assertRefused(
      await create(wanting({ matchLabels: { "kubernetes.io/metadata.name": "default" } }), ...user),
      refusal,
    );
    assertRefused(await create(wanting(byName(stage().namespace, "default")), ...user), refusal);
  });

  it("refuses a selector whose meaning can change later, and none at all", async () => {
    const refusal = /e2e-tenant may not tap all namespaces/;
    assertRefused(await create(wanting(undefined), ...user), refusal);
    assertRefused(await create(wanting({ matchLabels: { team: "a" } }), ...user), refusal);
    const others = { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system"] };
    assertRefused(await create(wanting({ matchLabels: undefined, matchExpressions: [others] }), ...user), refusal);
  });

  it("checks up to 20 Namespaces, and says so beyond", async () => {
    const { cluster, namespace } = stage();
    const many = (count: number): string[] => Array.from({ length: count }, () => namespace);
    assertAllowed(await create(wanting(byName(...many(20))), ...user));
    assertRefused(await create(wanting(byName(...many(21))), ...user), /names 21 namespaces/);
    assert.ok(cluster);
  });

  it("leaves whoever may tap everything alone", async () => {
    assertAllowed(await create(wanting(undefined)));
  });

  it("refuses targets that are not on the lists", async () => {
    assertRefused(
      await create(mirror("e2e-x", { vxlan: { remoteIP: "192.0.2.1" } })),
      /remoteIP 192\.0\.2\.1 is not in/,
    );
    assertRefused(await create(mirror("e2e-x", { device: { name: "eth0" } })), /device eth0 is not among/);
    const back = (returnPort: ReturnPort): object =>
      mirror("e2e-x", { ovsInternal: { name: "tap1" } }, { action: "Redirect", returnPort });
    assertRefused(await create(back({ gre: { remoteIP: "192.0.2.1" } })), /remoteIP 192\.0\.2\.1 is not in/);
    assertRefused(await create(back({ device: { name: "eth0" } })), /device eth0 is not among/);
    assertAllowed(await create(back({ device: { name: "tap0" } })));
    assertAllowed(await create(mirror("e2e-x", { device: { name: "tap0" } })));
    assertAllowed(await create(mirror("e2e-x", { geneve: { remoteIP: "fd00::1" } })));
    assertAllowed(await create(mirror("e2e-x", { ovsInternal: { name: "tap1" } })));
  });
});

function escape(annotation: string): string {
  return annotation.replaceAll(".", "\\.");
}

async function aProgrammer(): Promise<string> {
  const running = ["get", "pods", "--namespace", JOBS, "--field-selector", "status.phase=Running", "-o", "name"];
  const [found = ""] = (await kubectl(running)).stdout.split("\n");
  return found.replace("pod/", "");
}

/** Returns when the API server finds so many of them, so that what follows meets a webhook or none. */
async function scaleAdmission(replicas: number): Promise<void> {
  const deployment = "deployment/ovs-traffic-control-admission";
  await kubectl(["scale", deployment, "--namespace", NAMESPACE, `--replicas=${replicas}`]);
  const service = "kubernetes.io/service-name=ovs-traffic-control-admission";
  const addresses = ["get", "endpointslices", "--namespace", NAMESPACE, "--selector", service];
  await eventually(
    `${replicas} admission Pods answer`,
    async () => {
      const ready = `jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}`;
      const { stdout } = await kubectl([...addresses, "-o", ready]);
      return stdout.split(" ").filter((address) => address !== "").length === replicas;
    },
    { seconds: 90 },
  );
}
