import assert from "node:assert/strict";
import { readEnvironment } from "../../../capabilities/engine";

describe("readEnvironment", () => {
  it("fills in everything but the image", () => {
    const environment = readEnvironment({ PROGRAMMER_IMAGE: "image:1", POD_NAME: "p" });
    assert.deepEqual(environment, {
      podName: "p",
      podNamespace: "ovs-traffic-control",
      nodesNamespace: "ovs-traffic-control-nodes",
      programmerImage: "image:1",
      lingerSeconds: 300,
      programmerMode: "resident",
      honoursOptOut: true,
      antreaNamespace: "kube-system",
      jobsInFlight: 50,
      jobsPerSecond: 10,
      metricsPort: 8080,
      ovsRunDirectory: "/run/openvswitch",
      netnsDirectory: "/run/netns",
      keepsCertificates: true,
      cleanupDeadlineSeconds: 60,
      drainDeadlineSeconds: 120,
    });
  });

  it("names every mistake at once", () => {
    const variables = {
      PROGRAMMER_MODE: "daemon",
      NAMESPACE_OPT_OUT: "maybe",
      JOBS_PER_SECOND: "0",
      LINGER_SECONDS: "soon",
      METRICS_PORT: "70000",
      OVS_RUNDIR: "run",
    };
    assert.throws(
      () => readEnvironment(variables),
      (error: Error) =>
        [
          "PROGRAMMER_IMAGE",
          'PROGRAMMER_MODE="daemon"',
          'NAMESPACE_OPT_OUT="maybe" is neither true nor false',
          "JOBS_PER_SECOND=0",
          'LINGER_SECONDS="soon"',
          'METRICS_PORT="70000"',
          'OVS_RUNDIR="run"',
        ].every((part) => error.message.includes(part)),
    );
  });
});
