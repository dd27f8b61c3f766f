import assert from "node:assert/strict";
import { LABELS } from "../../../capabilities/api";
import { buildJob, jobFacts, jobName, templateHash, type JobSettings } from "../../../capabilities/delivery";

const NODE = { name: "worker-1.example.com", uid: "node-uid" };
const SETTINGS: JobSettings = {
  nodesNamespace: "nodes",
  programmerImage: "image:1",
  lingerSeconds: 300,
  programmerMode: "resident",
  ovsRunDirectory: "/run/openvswitch",
  netnsDirectory: "/run/netns",
};
const job = buildJob(NODE, SETTINGS);
const pod = job.spec.template.spec;
const [container] = pod.containers;

describe("jobName", () => {
  it("is readable, the same each time, and another one for each node", () => {
    assert.match(jobName("node-1"), /^programmer-node-1-[0-9a-f]{8}$/);
    assert.equal(jobName("node-1"), jobName("node-1"));
    assert.notEqual(jobName("a.b"), jobName("a-b"));
  });

  it("fits into a label whatever the node's name, and is a valid name", () => {
    for (const name of ["x".repeat(253), "a.b.c", "9", `${"a".repeat(39)}.b`]) {
      assert.match(jobName(name), /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
      assert.ok(jobName(name).length <= 63);
    }
  });
});

describe("buildJob", () => {
  it("is placed as a DaemonSet's Pod would be: on this node by metadata.name, whatever its taints, and not for preemption", () => {
    const { nodeSelectorTerms } = pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution;
    assert.deepEqual(nodeSelectorTerms, [
      { matchFields: [{ key: "metadata.name", operator: "In", values: [NODE.name] }] },
    ]);
    assert.deepEqual(pod.tolerations, [{ operator: "Exists" }]);
    assert.equal(pod.priorityClassName, "system-node-critical");
  });

  it("leaves starting again to the controller, never runs two Pods at a time, and waits to have its exit code read", () => {
    const { completions, parallelism, backoffLimit, podReplacementPolicy } = job.spec;
    assert.deepEqual([completions, parallelism, backoffLimit, podReplacementPolicy], [1, 1, 0, "Failed"]);
    assert.equal(pod.restartPolicy, "Never");
    assert.ok(!("ttlSecondsAfterFinished" in job.spec) && !("activeDeadlineSeconds" in job.spec));
    assert.equal(container?.terminationMessagePolicy, "FallbackToLogsOnError");
  });

  it("mounts the OVS run directory and, read-only, the Pods' network namespaces, and nothing else of the host", () => {
    const hostPaths = pod.volumes.flatMap((volume) =>
      "hostPath" in volume && volume.hostPath ? [volume.hostPath.path] : [],
    );
    assert.deepEqual(hostPaths, ["/run/openvswitch", "/run/netns"]);
    const netns = container?.volumeMounts.find(({ name }) => name === "netns");
    assert.deepEqual(netns, {
      name: "netns",
      mountPath: "/run/netns",
      readOnly: true,
      mountPropagation: "HostToContainer",
    });
    assert.equal(container?.securityContext.readOnlyRootFilesystem, true);
  });

  it("tells the programmer which node it is for", () => {
    const environment = Object.fromEntries(container!.env.map(({ name, value }) => [name, value]));
    assert.deepEqual(environment, {
      NODE_NAME: NODE.name,
      NODE_UID: NODE.uid,
      LINGER_SECONDS: "300",
      OVS_RUNDIR: "/run/openvswitch",
      NETNS_DIR: "/run/netns",
    });
    assert.deepEqual(container?.command, ["node", "/app/node-programmer.js"]);
    assert.deepEqual([container.image, container.imagePullPolicy], ["image:1", "IfNotPresent"]);
  });

  it("marks Job and Pod as the operator's own, so that nothing selects them", () => {
    assert.equal(job.metadata.labels[LABELS.operator], "true");
    assert.equal(job.spec.template.metadata.labels[LABELS.operator], "true");
  });

  it("carries the hash of its template, which changes with image, node and settings", () => {
    const raw = { metadata: { ...job.metadata, uid: "u", resourceVersion: "1" } };
    assert.equal(jobFacts(raw).templateHash, templateHash(NODE, SETTINGS));
    const hashes = [
      templateHash(NODE, SETTINGS),
      templateHash(NODE, { ...SETTINGS, programmerImage: "image:2" }),
      templateHash(NODE, { ...SETTINGS, lingerSeconds: 1 }),
      templateHash({ ...NODE, uid: "other" }, SETTINGS),
    ];
    assert.equal(new Set(hashes).size, hashes.length);
  });
});
