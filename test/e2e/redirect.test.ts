/** Redirect from kubectl apply to the packets: through a wire on each node and back, with all that a Pod is asked by. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { CONDITIONS } from "@ovs-traffic-control/api";
import { Capture } from "../support/capture";
import { shellBlocks } from "../support/docs/commands";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { WEB } from "../support/e2e/pods";
import { condition, mirror, readTap, tap, untap } from "../support/e2e/taps";
import { ping, request } from "../support/e2e/traffic";

const NAME = "e2e-redirect";
const MACHINE = "172.31.0.1";
const NODE_NETWORK = "172.31.0";
const NODE_PORT = 30_080;
const OUTSIDE_PORT = 8099;
const [IN, OUT, WIRE] = ["e2e-in0", "e2e-out0", "e2e-wire0"];
const ports = {
  action: "Redirect",
  targetPort: { ovsInternal: { name: IN } },
  returnPort: { ovsInternal: { name: OUT } },
} as const;
const inline = mirror(NAME, ports.targetPort, ports);

/** Joins the two ports of each web server's node as docs/guide/first-redirect.md says it, with other names. */
async function joinPorts(): Promise<void> {
  const block = shellBlocks("docs/guide/first-redirect.md").find((text) => text.includes("ip link add web-wire"));
  assert.ok(block !== undefined, "the guide says how");
  const script = block.replaceAll("web-wire", WIRE).replaceAll("web-in", IN).replaceAll("web-out", OUT);
  await onNodes(`set -e\n${script}`);
}

async function removeWires(): Promise<void> {
  await onNodes(`ip link del ${WIRE}`);
}

async function onNodes(script: string): Promise<void> {
  const { cluster, web } = stage();
  for (const { node } of web) {
    const { exitCode, stderr } = await cluster.exec(node, "sh", ["-c", script]);
    assert.equal(exitCode, 0, `${node}: ${stderr}`);
  }
}

/** An HTTP request from a node to somewhere; the path says in every capture whose request it is. */
async function ask(node: string, address: string, path: string): Promise<boolean> {
  const args = ["timeout", "3", "busybox", "wget", "-q", "-O", "/dev/null", `http://${address}/?${path}`];
  return (await stage().cluster.exec(node, "busybox", args)).exitCode === 0;
}

/** A web server outside of the Pods' network, on the cluster's machine; returns how to end it. */
function serveOnMachine(port: number): () => Promise<void> {
  const script = `d=$(mktemp -d) && echo outside >$d/index.html && busybox httpd -f -p ${port} -h $d; rm -r $d`;
  const server = stage().cluster.spawnHost("setpriv", ["--pdeathsig", "TERM", "busybox", "sh", "-c", script], {
    detached: true,
    stdio: "ignore",
  });
  const ended = once(server, "exit");
  return async () => {
    process.kill(-server.pid!, "SIGTERM");
    await ended;
  };
}

/** Packets that the node's rule has redirected so far, from the flows that count them. */
async function redirected(node: string): Promise<number> {
  const script = "for b in $(ovs-vsctl list-br); do ovs-ofctl -O OpenFlow14 dump-flows $b table=246; done";
  const { stdout } = await stage().cluster.exec(node, "sh", ["-c", script]);
  return [...stdout.matchAll(/n_packets=(\d+).*output:/g)].reduce((sum, [, packets]) => sum + Number(packets), 0);
}

describe("a Redirect through a wire on each node", () => {
  it("takes the Pods' packets along and changes nothing for those who talk to them; its deletion leaves the bridges as before", async () => {
    const { client, web, objects } = stage();
    const before = await stage().bridges();
    await tap(objects, inline);
    await joinPorts();
    try {
      await ping(client, web[0].address, 20);
      await ping(web[0], web[1].address, 20);
      await ping(web[0], client.address, 20);
      assert.equal((await request(client, web[0].address, 3)).length, 3);
      // Open vSwitch adds up what its datapath has counted now and then.
      for (const { node } of web)
        await eventually(`${node} has redirected`, async () => (await redirected(node)) >= 40);
      assert.match(condition(await readTap(objects, NAME), CONDITIONS.ready)?.message ?? "", /^Redirecting/);
    } finally {
      await removeWires();
    }
    await stage().reset();
    await untap(objects, NAME);
    assert.deepEqual(await stage().bridgeDifferences(before), []);
    await ping(client, web[0].address, 5);
  });

  it("carries what a node, a NodePort, the kubelet and the world outside have with a Pod; when the device dies the Pod is not Ready, until the deletion", async () => {
    const { cluster, web, objects, namespace } = stage();
    const node = web[0].node;
    const labels = { app: "web", probed: "yes" };
    const pod = await stage().startPod({ name: "probed", node, labels, script: WEB, probe: "/?kubelet" });
    const service = await objects.create({
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: "probed", namespace } },
      spec: { type: "NodePort", selector: { probed: "yes" }, ports: [{ port: 80, nodePort: NODE_PORT }] },
    });
    const endServer = serveOnMachine(OUTSIDE_PORT);
    const captures: Capture[] = [];
    try {
      const viaNodePort = (path: string): Promise<boolean> =>
        ask(web[1].node, `${NODE_NETWORK}.${10 + Number(node.slice(-1))}:${NODE_PORT}`, path);
      await eventually("kube-proxy knows the Service", () => viaNodePort("before"), { seconds: 30 });
      const before = await stage().bridges();

      await tap(objects, inline);
      await joinPorts();
      for (const device of [IN, OUT]) {
        const enter = (command: string, args: string[]): ReturnType<typeof cluster.spawnNode> =>
          cluster.spawnNode(node, command, args, { stdio: ["ignore", "ignore", "pipe"] });
        captures.push(await Capture.start({ enter, device, filter: "tcp" }));
      }
      assert.ok(await ask(node, pod.address, "node"), "the node reaches its Pod");
      assert.ok(await viaNodePort("nodeport"), "the Pod is reached by a node's port");
      await pod.run(`busybox timeout 5 busybox wget -q -O - "http://${MACHINE}:${OUTSIDE_PORT}/?outside"`);
      for (const name of ["node", "nodeport", "outside", "kubelet"])
        for (const capture of captures)
          await eventually(`the request of ${name} has passed the device, and so has an answer`, () => {
            const texts = capture.records().map(({ bytes }) => bytes.toString("latin1"));
            const asked = texts.findIndex((text) => text.includes(`GET /?${name} `));
            return asked >= 0 && texts.slice(asked).some((text) => text.includes("200 OK"));
          });
      assert.ok(await pod.isReady(objects), "the kubelet's probes pass");

      await removeWires();
      await eventually("the Pod is not Ready", async () => !(await pod.isReady(objects)), { seconds: 60 });
      assert.ok(!(await ask(node, pod.address, "dead")), "the device does not forward");
      await untap(objects, NAME);
      await eventually("the Pod is Ready again", () => pod.isReady(objects), { seconds: 60 });
      await eventually("the Service leads to the Pod again", () => viaNodePort("after"), { seconds: 30 });
      assert.deepEqual(await stage().bridgeDifferences(before), []);
    } finally {
      await Promise.all(captures.map((capture) => capture.discard()));
      await endServer();
      await objects.delete(service);
    }
  });

  it("is fail-closed, concerns nobody else, and can always be deleted", async () => {
    const { client, web, objects } = stage();
    await tap(objects, inline);
    await assert.rejects(ping(client, web[0].address, 2), "the device does not forward");
    await assert.rejects(ping(web[0], client.address, 2), "the device does not forward");
    await untap(objects, NAME);
    await ping(client, web[0].address, 5);
    await ping(web[0], client.address, 5);
  });
});
