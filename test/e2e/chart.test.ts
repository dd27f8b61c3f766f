/** The chart, by the real helm against the real API server; what it has to agree on with the code is in test/unit/chart. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { helm as helmBinary } from "../../hack/toolchain";
import { MATRIX } from "../support/chart-matrix";
import { certManagerKinds, type Crd } from "../support/e2e/cert-manager";
import { stage } from "../support/e2e/hooks";
import { eventually } from "../support/e2e/eventually";
import { mirror, tap, TEST_LABEL } from "../support/e2e/taps";
import { COLLECTOR_ADDRESS } from "../support/e2e/collector";

const CHART = path.join(import.meta.dirname, "../../charts/ovs-traffic-control");
const NAMESPACE = "ovs-traffic-control";
const JOBS = "ovs-traffic-control-nodes";
const PROGRAMMER = "ovs-traffic-control-programmer";

/** Kinds of the Prometheus Operator, which is not in the cluster. */
const FOREIGN_KINDS = ["ServiceMonitor", "PodMonitor", "PrometheusRule"].map((kind) => {
  const singular = kind.toLowerCase();
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${singular}s.monitoring.coreos.com`, labels: TEST_LABEL },
    spec: {
      ...{ group: "monitoring.coreos.com", scope: "Namespaced", names: { kind, singular, plural: `${singular}s` } },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
});

describe("the chart", () => {
  let foreign: Crd[] = [];

  before(async () => {
    const { cluster } = stage();
    foreign = [...FOREIGN_KINDS, ...(await certManagerKinds(TEST_LABEL))];
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: foreign });
    await cluster.kubectl(["apply", "-f", "-"], { input });
    await eventually("the foreign kinds are served", () =>
      cluster.kubectl(["get", "servicemonitors,podmonitors,prometheusrules,certificates,issuers", "-A"]),
    );
  });

  after(async () => {
    const names = foreign.map(({ metadata }) => metadata.name);
    await stage().cluster.kubectl(["delete", "crd", ...names, "--ignore-not-found", "--wait=false"]);
  });

  it("passes helm lint, warnings included", async () => {
    const { stdout } = await helm(["lint", "--strict", CHART]);
    assert.match(stdout, /0 chart\(s\) failed/);
  });

  for (const [what, values] of Object.entries(MATRIX))
    it(`is accepted by the API server with ${what}`, async () => {
      const { cluster } = stage();
      const manifests = await render(values);
      const apply = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"];
      const accepted = (await cluster.kubectl(apply, { input: manifests })).trim().split("\n");
      assert.equal(accepted.length, [...manifests.matchAll(/^kind: /gm)].length);
    });

  it("renders the same twice, and no Secret", async () => {
    const [one, two] = [await render([]), await render([])];
    assert.ok(one === two, "two renders differ");
    assert.deepEqual(one.match(/^kind: Secret$|PRIVATE KEY|^ *caBundle:.*|^ *tls\.key:.*/gm), null);
  });

  it("refuses to have every metric scraped twice", async () => {
    await assert.rejects(render(["serviceMonitor.enabled=true", "podMonitor.enabled=true"]), /scraped twice/);
  });

  it("refuses a value that it does not know, and one of the wrong kind", async () => {
    await assert.rejects(render(["controler.replicas=3"]), /controler/);
    await assert.rejects(render(["controller.replicas=many"]), /controller\.replicas|\/controller\/replicas/);
  });

  it("refuses a Kubernetes that is too old for its objects, and takes the suffixes of distributions", async () => {
    const template = (version: string): Promise<unknown> =>
      helm(["template", "ovs-traffic-control", CHART, "--kube-version", version]);
    await assert.rejects(template("1.30.9"), /requires kubeVersion: >=1\.31\.0/);
    await template("1.31.4-eks-1234");
  });

  it("brings the CRDs along when it is packaged", async () => {
    const directory = await mkdtemp(path.join(tmpdir(), "chart-"));
    try {
      await helm(["package", CHART, "--destination", directory]);
      const { stdout } = await execa("sh", ["-c", `tar -tvzf ${directory}/*.tgz`]);
      assert.match(stdout, /^-.* ovs-traffic-control\/files\/crds\/trafficcontrols\.yaml$/m);
      assert.match(stdout, /^-.* ovs-traffic-control\/files\/crds\/nodetrafficplans\.yaml$/m);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("leaves Pepr's namespace and CRD to whoever owns them", async () => {
    const looking = ["template", "--namespace", NAMESPACE, "--dry-run=server", "--validate", "--is-upgrade"];
    const ours = (await helm([...looking, "ovs-traffic-control", CHART])).stdout;
    const theirs = (await helm([...looking, "another-release", CHART])).stdout;
    assert.match(ours, /^ {2}name: pepr-system$/m);
    assert.match(ours, /^ {2}name: peprstores\.pepr\.dev$/m);
    assert.doesNotMatch(theirs, /^ {2}name: pepr-system$/m);
    assert.doesNotMatch(theirs, /^ {2}name: peprstores\.pepr\.dev$/m);
  });
});

describe("the installed release", () => {
  it("runs in a namespace with the Pod Security Standard restricted", async () => {
    const { cluster } = stage();
    const label = "jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}";
    assert.equal(await cluster.kubectl(["get", "namespace", NAMESPACE, "-o", label]), "restricted");
    assert.equal(await cluster.kubectl(["get", "namespace", JOBS, "-o", label]), "privileged");
  });

  it("has no shell in its containers", async () => {
    const { cluster } = stage();
    const inAdmission = (...argv: string[]): ReturnType<typeof cluster.host> =>
      cluster.host("kubectl", [
        ...["exec", "-n", NAMESPACE, "deployment/ovs-traffic-control-admission", "--"],
        ...argv,
      ]);
    assert.equal((await inAdmission("node", "--version")).exitCode, 0);
    for (const shell of ["sh", "bash", "/bin/busybox"])
      assert.match((await inAdmission(shell)).stderr, /no such file or directory|executable file not found/);
  });

  it("has all the rights that it asks for", async () => {
    const { cluster } = stage();
    const logs = [
      "logs",
      "--namespace",
      NAMESPACE,
      "--selector",
      "app.kubernetes.io/name=ovs-traffic-control",
      "--tail=-1",
    ];
    const text = await cluster.kubectl(logs);
    assert.ok(text.includes("started"), "there is something in the logs");
    assert.deepEqual(
      text.split("\n").filter((line) => /forbidden/i.test(line)),
      [],
    );
  });

  it("keeps its certificates when it is upgraded", async () => {
    const before = await caBundles();
    assert.ok(
      before.every((bundle) => bundle.length > 100),
      "the controller has written caBundle",
    );
    await helm(["upgrade", "ovs-traffic-control", CHART, "--namespace", NAMESPACE, "--reset-then-reuse-values"]);
    assert.deepEqual(await caBundles(), before);
  });
});

describe("a node programmer's token", () => {
  let [own, foreign, token] = ["", "", ""];

  // The plans and programmers of both nodes are there while the TrafficControl is.
  beforeEach(async () => {
    const { cluster, objects, web } = stage();
    await tap(objects, mirror("e2e-token", { vxlan: { remoteIP: COLLECTOR_ADDRESS } }));
    [own, foreign] = [web[0].node, web[1].node];
    // Such a token as the programmer itself has: it names the node that its Pod runs on.
    const select = ["--field-selector", `status.phase=Running,spec.nodeName=${own}`, "-o", "name"];
    const pod = (await cluster.kubectl(["get", "pods", "--namespace", JOBS, ...select])).trim().replace("pod/", "");
    const bound = ["--bound-object-kind", "Pod", "--bound-object-name", pod];
    token = (await cluster.kubectl(["create", "token", PROGRAMMER, "--namespace", JOBS, ...bound])).trim();
  });

  it("writes the status of its own node's plan", async () => {
    const { exitCode, stderr } = await writeStatus(own, token);
    assert.equal(exitCode, 0, stderr);
  });

  it("does not write the status of another node's plan", async () => {
    const { exitCode, stderr } = await writeStatus(foreign, token);
    const refusal = `The node programmer on ${own} may write the plan of that node only, not that of ${foreign}.`;
    assert.notEqual(exitCode, 0);
    assert.ok(stderr.includes(refusal), stderr);
  });

  it("does not write a plan's spec, not even its own node's", async () => {
    const { exitCode, stderr } = await apply(token, { metadata: { name: own }, spec: { hash: "e2e" } });
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /forbidden/i);
  });

  it("reads no Secret and no Pod", async () => {
    for (const resource of ["secrets", "pods"]) {
      const { exitCode, stderr } = await withToken(token, ["get", resource, "--namespace", NAMESPACE]);
      assert.notEqual(exitCode, 0);
      assert.match(stderr, /forbidden/i);
    }
  });

  it("that names no node, such as one made by hand, writes nothing", async () => {
    const unbound = await stage().cluster.kubectl(["create", "token", PROGRAMMER, "--namespace", JOBS]);
    const { exitCode, stderr } = await writeStatus(own, unbound.trim());
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /does not say on which node it is used/);
  });

  type Answer = Promise<{ exitCode: number; stderr: string }>;

  function writeStatus(name: string, bearer: string): Answer {
    return apply(bearer, { metadata: { name }, status: { realizedPods: 0 } }, "--subresource=status");
  }

  /** A dry run: admission decides, and nothing is written. */
  function apply(bearer: string, object: object, ...more: string[]): Answer {
    const input = JSON.stringify({
      apiVersion: "ovs-traffic-control.dev/v1alpha1",
      kind: "NodeTrafficPlan",
      ...object,
    });
    const args = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=false", ...more];
    return withToken(bearer, [...args, "-f", "-"], input);
  }

  /** kubectl as the owner of the token: the cluster of the kubeconfig, none of its users. */
  async function withToken(bearer: string, args: string[], input?: string): Answer {
    const { cluster } = stage();
    const file = JSON.parse(
      await cluster.kubectl(["config", "view", "--raw", "--flatten", "-o", "json"]),
    ) as Kubeconfig;
    file.users = file.users.map(({ name }) => ({ name, user: { token: bearer } }));
    const directory = await mkdtemp(path.join(tmpdir(), "token-"));
    try {
      const kubeconfig = path.join(directory, "kubeconfig");
      await writeFile(kubeconfig, JSON.stringify(file));
      return await cluster.host("kubectl", ["--kubeconfig", kubeconfig, ...args], { input });
    } finally {
      await rm(directory, { recursive: true });
    }
  }
});

interface Kubeconfig {
  users: { name: string; user: unknown }[];
}

async function caBundles(): Promise<string[]> {
  const { cluster } = stage();
  const get = ["get", "mutatingwebhookconfiguration,validatingwebhookconfiguration", "ovs-traffic-control", "-o"];
  return (await cluster.kubectl([...get, "jsonpath={.items[*].webhooks[*].clientConfig.caBundle}"])).split(" ");
}

/** Helm's output; it says "found symbolic link" on standard error at each start. */
async function helm(args: string[]): Promise<{ stdout: string }> {
  const { stdout, stderr, exitCode } = await stage().cluster.host(await helmBinary(), args);
  if (exitCode !== 0) throw new Error(`helm ${args.join(" ")} ended with ${exitCode}: ${stdout}${stderr}`);
  return { stdout };
}

/** The manifests with these values. The version of the API server is asked for, since helm alone does not know it. */
async function render(values: string[]): Promise<string> {
  const { cluster } = stage();
  const version = JSON.parse(await cluster.kubectl(["version", "-o", "json"])) as {
    serverVersion: { gitVersion: string };
  };
  const set = values.flatMap((value) => ["--set", value]);
  const template = ["template", "ovs-traffic-control", CHART, "--namespace", NAMESPACE];
  return (await helm([...template, "--kube-version", version.serverVersion.gitVersion, ...set])).stdout;
}
