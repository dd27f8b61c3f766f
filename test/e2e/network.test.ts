/** The cluster's own network, whichever it is: everybody reaches everybody, and no packet is lost or doubled. */
import assert from "node:assert/strict";
import { eventually } from "../support/e2e/eventually";
import { onlyOn, stage } from "../support/e2e/hooks";
import type { Reference } from "../support/e2e/objects";
import { Pod, podObject, WEB } from "../support/e2e/pods";
import type { PodOptions } from "../support/e2e/pods";
import { TEST_LABEL } from "../support/e2e/taps";
import { ping, request } from "../support/e2e/traffic";

const MACHINE = "172.31.0.1";

/** A Service as it is made, and as it comes back. */
interface Service extends Reference {
  spec: { type: string; selector: object; clusterIP?: string; ports: { port: number; nodePort?: number }[] };
}

/** One HTTP request from the machine or from a node. */
async function ask(where: string, address: string): Promise<string> {
  const { cluster } = stage();
  const args = ["timeout", "5", "busybox", "wget", "-qO-", `http://${address}/`];
  const { stdout, stderr, exitCode } = await (where === "machine"
    ? cluster.host("busybox", args)
    : cluster.exec(where, "busybox", args));
  if (exitCode !== 0) throw new Error(`${where} asked ${address}: exit ${exitCode}: ${stderr}`);
  return stdout.trim();
}

describe("the cluster's network", () => {
  it("connects Pods on one node, on different nodes, and with the machine: each packet arrives once", async () => {
    const { client, web } = stage();
    const neighbour = await stage().startPod({ name: "neighbour", node: client.node });
    for (const other of [neighbour, ...web]) {
      await ping(client, other.address, 20);
      await ping(other, client.address, 20);
    }
    await ping(client, MACHINE, 20);
  });

  it("lets nodes and the machine reach Pods on every node", async () => {
    const { cluster, web } = stage();
    for (const { address } of web)
      for (const where of ["machine", ...cluster.nodes]) assert.match(await ask(where, address), /^web-\d$/);
  });

  it("lets Pods, nodes and the machine reach a Service, by its own address or by any node's", async () => {
    const { cluster, client, namespace, objects } = stage();
    const wanted: Service = {
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace } },
      spec: { type: "NodePort", selector: { app: "web" }, ports: [{ port: 80 }] },
    };
    const service = await objects.create(wanted);
    try {
      const own = service.spec.clusterIP!;
      const nodePorts = cluster.nodes.map((_, index) => `172.31.0.${11 + index}:${service.spec.ports[0]!.nodePort}`);
      await eventually("kube-proxy knows the Service", () => request(client, own, 1), { seconds: 30 });
      for (const address of [own, ...nodePorts]) {
        await eventually(`${address} serves Pods`, () => request(client, address, 5), { seconds: 30 });
        for (const node of cluster.nodes) assert.match(await ask(node, address), /^web-\d$/);
      }
      for (const address of nodePorts) assert.match(await ask("machine", address), /^web-\d$/);
    } finally {
      await objects.delete(service);
    }
  });

  it("gives each Pod a logical port of its own, also when it has the name of a former one, and takes it away again", async function () {
    onlyOn("ovn", this, "the other network has no logical ports");
    const { cluster, client, namespace, objects } = stage();
    const logical = `${namespace}_short-lived`;
    const port = async (): Promise<string> => {
      const find = ["--bare", "--columns=_uuid,options", "find", "Logical_Switch_Port", `name=${logical}`];
      const { stdout, stderr, exitCode } = await cluster.host("ovn-nbctl", find);
      assert.equal(exitCode, 0, stderr);
      return stdout.trim();
    };
    const rows: string[] = [];
    for (const node of [client.node, cluster.nodes[0]!]) {
      const pod = await stage().startPod({ name: "short-lived", node });
      rows.push(await port());
      assert.ok(rows.at(-1)!.endsWith(`iface-id-ver=${pod.uid} requested-chassis=${node}`), rows.at(-1));
      await ping(client, pod.address, 5);
      // The next one comes while the sandbox of this one is still being taken down.
      await objects.delete(pod.reference, 0);
    }
    assert.equal(new Set(rows.map((row) => row.split("\n")[0])).size, 2, "the second Pod has a port of its own");
    await eventually("the logical port is gone", async () => (await port()) === "", { seconds: 30 });
  });

  it("lets the kubelet probe a Pod, and learn that it does not serve", async () => {
    const { cluster, namespace, objects, client } = stage();
    const create = async (name: string, probe: string): Promise<PodOptions> => {
      const options = { namespace, name, node: client.node, labels: TEST_LABEL, script: WEB, probe };
      await objects.create(podObject(options));
      return options;
    };
    const options = await create("probed", "/");
    await create("probed-in-vain", "/nothing");
    await Pod.started(cluster, objects, options);
    await eventually("the kubelet says why the other one is not Ready", async () => {
      const events = await objects.list<{ message?: string; involvedObject: { name: string } }>(
        "v1",
        "Event",
        namespace,
      );
      return events.some(
        ({ message = "", involvedObject: { name } }) =>
          name === "probed-in-vain" && message.includes("HTTP probe failed with statuscode: 404"),
      );
    });
  });
});
