/** The embedded cluster itself: a second one beside the suite's, half killed, mended, and taken down without a trace. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Cluster, down, type NetworkName, TEST_IMAGE, up } from "../../hack/cluster";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { slow } from "../support/slow";

/** No word that the command line of anything else on the machine contains. */
const NAME = "gate-twin";
const SECONDS = 1000;

const bringUp = (): Promise<Cluster> =>
  up({ name: NAME, nodes: 1, network: stage().cluster.network, report: () => undefined });

const pod = (name: string, command: string[]): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { app: name } },
  spec: { containers: [{ name, image: TEST_IMAGE, command }], terminationGracePeriodSeconds: 0 },
});
const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
};

/** By which row a Pod's port is known, and everything that is written there. */
const MARKS: Record<NetworkName, { table: string; key: string; marks: RegExp }> = {
  ovs: {
    table: "Port",
    key: "contPodUid",
    marks: /^contIface=eth0 contNetns=\/var\/run\/netns\/cni-\S+ contPodUid=\S+ owner=ovs-cni.network.kubevirt.io$/,
  },
  ovn: {
    table: "Interface",
    key: "iface-id-ver",
    marks:
      /^attached_mac=0a:58:0a:f4:01:(\w\w) iface-id=default_web iface-id-ver=\S+ ip_addresses=10\.244\.1\.\d+\/24 ovn-installed=true ovn-installed-ts=\d+ sandbox=[0-9a-f]{64}$/,
  },
};
/** What runs on a node, or on the machine, and is killed below. */
const NODE_PROGRAMS = ["ovs-vswitchd", "ovsdb-server", "kubelet", "containerd", "kube-proxy"];
const OVN_PROGRAMS = { machine: ["ovsdb-server", "ovn-northd"], node: ["ovn-controller"] };

/** Ids of the processes with this name in a network namespace. */
function processes(namespace: string, name: string): number[] {
  const pids = execFileSync("ip", ["netns", "pids", namespace]).toString().split("\n").filter(Boolean);
  return pids.map(Number).filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() === name.slice(0, 15));
}

function kill(namespace: string, name: string): void {
  const pids = processes(namespace, name);
  assert.ok(pids.length > 0, `${name} runs in ${namespace}`);
  for (const pid of pids) process.kill(pid, "SIGKILL");
}

const read = (file: string): string => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // of a process that has ended
  }
};
/** Empty also for one that has ended and is only waiting for its parent to take note. */
const commandLine = (pid: string): string => read(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
const cgroup = (pid: string): string => (commandLine(pid) ? read(`/proc/${pid}/cgroup`) : "");

/** Everything on this machine that has the cluster's name. */
function traces(): string[] {
  const named = (directory: string): string[] =>
    existsSync(directory)
      ? readdirSync(directory)
          .filter((entry) => entry.includes(NAME))
          .map((entry) => path.join(directory, entry))
      : [];
  const hierarchies = readdirSync("/sys/fs/cgroup", { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const running = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  return [
    ...named("/run/netns"),
    ...named("/sys/fs/cgroup"),
    ...hierarchies.flatMap(({ name }) => named(path.join("/sys/fs/cgroup", name))),
    ...running.map((pid) => commandLine(pid) + cgroup(pid)).filter((text) => text.includes(NAME)),
    ...readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(NAME)),
  ];
}

/** Names of the network devices where this test runs. */
const devices = (): string[] =>
  (JSON.parse(execFileSync("ip", ["-json", "link", "show"]).toString()) as { ifname: string }[]).map(
    ({ ifname }) => ifname,
  );

describe("a second cluster", function () {
  this.timeout(180 * SECONDS);
  let cluster: Cluster;
  let devicesBefore: string[];

  before("is brought up", async () => {
    devicesBefore = devices(); // collectors that all tests share have been made by now
    await down(NAME); // what a run that was killed has left
    cluster = await bringUp();
    const objects = {
      apiVersion: "v1",
      kind: "List",
      items: [pod("web", ["httpd", "-f", "-h", "/etc"]), pod("client", ["sleep", "3600"]), service],
    };
    await cluster.kubectl(["apply", "--filename", "-"], { input: JSON.stringify(objects) });
    await podsReady();
  });
  after("is taken down", () => down(NAME));

  const podsReady = (): Promise<string> =>
    cluster.kubectl(["wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s"]);
  const inClient = (...argv: string[]): Promise<string> => cluster.kubectl(["exec", "client", "--", ...argv]);
  /** What the Pods' addresses are like after a restart is kubelet's business: it is asked through the Service. */
  const askWeb = async (): Promise<string> => {
    const address = await cluster.kubectl(["get", "service", "web", "--output", "jsonpath={.spec.clusterIP}"]);
    // A kubelet that was just started does not know its Pods for a moment.
    return eventually(
      "the Service answers",
      () => inClient("timeout", "3", "wget", "-qO-", `http://${address}/passwd`),
      {
        seconds: 30,
      },
    );
  };

  it("lets Pods reach each other through a Service, on one node too", async () => {
    assert.match(await askWeb(), /^root:/);
  });

  it("lets Pods reach the API server", async () => {
    // busybox has no TLS of the kind that it wants: being told so is an answer.
    const ask = "wget -qO- http://10.96.0.1:443/ 2>&1 || true";
    assert.match(await inClient("sh", "-c", ask), /400 Bad Request/);
  });

  it("shows a Pod's log", async () => {
    assert.equal(await cluster.kubectl(["logs", "web"]), "");
  });

  it("marks Pods' ports as ovs-cni or OVN-Kubernetes does", async () => {
    const uid = await cluster.kubectl(["get", "pod", "web", "--output", "jsonpath={.metadata.uid}"]);
    const { table, key, marks } = MARKS[cluster.network];
    const find = ["--columns=external_ids", "find", table, `external_ids:${key}=${uid}`];
    const { stdout } = await cluster.exec("node-1", "ovs-vsctl", ["--bare", ...find]);
    assert.match(stdout.trim(), marks);
  });

  it("is brought up again without anything being touched", async () => {
    const pids = (): number[] => processes(cluster.machineNamespace, "kube-apiserver");
    const before = pids();
    await bringUp();
    assert.deepEqual(pids(), before);
  });

  it("is mended when its programs were killed, and its Pods go on", async () => {
    const node = cluster.nodeNamespace("node-1");
    const restarts = (): Promise<string> =>
      cluster.kubectl(["get", "pods", "--output", "jsonpath={.items[*].status.containerStatuses[*].restartCount}"]);
    const { machine, node: own } = cluster.network === "ovn" ? OVN_PROGRAMS : { machine: [], node: [] };
    for (const name of ["kube-apiserver", ...machine]) kill(cluster.machineNamespace, name);
    for (const name of [...NODE_PROGRAMS, ...own]) kill(node, name);
    await bringUp();
    assert.match(await askWeb(), /^root:/);
    assert.equal(await restarts(), "0 0");
  });

  slow("gets a node back that has lost its namespaces, and its Pods start again", async () => {
    kill(cluster.nodeNamespace("node-1"), "sleep");
    execFileSync("ip", ["netns", "delete", cluster.nodeNamespace("node-1")]);
    await bringUp();
    // The kubelet notices that the containers are gone, and starts them again.
    await cluster.kubectl([
      ...["wait", "pod", "--all", "--timeout=60s"],
      "--for=jsonpath={.status.containerStatuses[0].restartCount}=1",
    ]);
    await podsReady();
    assert.match(await askWeb(), /^root:/);
  });

  it("leaves no process, namespace, mount, cgroup or device when it goes down", async () => {
    assert.ok(
      traces().some((trace) => trace.includes("kubelet")),
      "traces are found while it is up",
    );
    // The containers' own processes: nothing that could be missing above would connect them with the cluster.
    const { stdout } = await cluster.exec("node-1", "ctr", ["tasks", "list"]);
    const containers = [...stdout.matchAll(/^\w+ +(\d+) +RUNNING/gm)].map(([, pid]) => pid!);
    assert.equal(containers.length, 4, `two Pods are four containers, with their sandboxes: ${stdout}`);
    await down(NAME);
    const left = traces().map((trace) => trace.slice(0, 200));
    assert.equal(left.length, 0, `left behind:\n${left.slice(0, 20).join("\n")}`);
    assert.deepEqual(containers.map(commandLine).join(""), "");
    assert.deepEqual(devices(), devicesBefore);
    await assert.rejects(Cluster.open(NAME), /There is no running cluster .* npm run cluster -- up/);
  });
});
