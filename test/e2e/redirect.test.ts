/** Redirect from kubectl apply to the packets: through a wire on each node and back, with all that a Pod is asked by. */
import assert from "node:assert/strict";
import { CONDITIONS } from "@ovs-traffic-control/api";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { WEB } from "../support/e2e/pods";
import { condition, mirror, readTap, tap, untap } from "../support/e2e/taps";
import { ping, request } from "../support/e2e/traffic";

const NAME = "e2e-redirect";
const [IN, OUT, WIRE] = ["e2e-in0", "e2e-out0", "e2e-wire0"];
const ports = {
  action: "Redirect",
  targetPort: { ovsInternal: { name: IN } },
  returnPort: { ovsInternal: { name: OUT } },
} as const;
const inline = mirror(NAME, ports.targetPort, ports);

/** Joins the two ports of each web server's node, as an inspection device would. */
async function joinPorts(): Promise<void> {
  const script = [
    `ip link add ${WIRE} type bridge mcast_snooping 0 && ip link set ${WIRE} up`,
    ...[IN, OUT].map((port) => `ip link set ${port} master ${WIRE} && bridge link set dev ${port} learning off`),
  ].join(" && ");
  await onNodes(script);
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

/** Packets that the node's rule has redirected so far, from the flows that count them. */
async function redirected(node: string): Promise<number> {
  const script = "for b in $(ovs-vsctl list-br); do ovs-ofctl -O OpenFlow14 dump-flows $b table=246; done";
  const { stdout } = await stage().cluster.exec(node, "sh", ["-c", script]);
  return [...stdout.matchAll(/n_packets=(\d+).*output:/g)].reduce((sum, [, packets]) => sum + Number(packets), 0);
}

describe("a Redirect through a wire on each node", () => {
  it("takes the Pods' packets along and changes nothing for those who talk to them; its deletion leaves the bridges as before", async () => {
    const { cluster, client, web, objects } = stage();
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
      const fromNode = await cluster.exec(web[0].node, "ping", [
        "-q",
        "-c",
        "3",
        "-i",
        "0.1",
        "-W",
        "2",
        web[0].address,
      ]);
      assert.match(fromNode.stdout, / 3 received/, "the node reaches its Pod");
      const probed = await stage().startPod({
        name: "web-late",
        node: web[0].node,
        labels: { app: "web" },
        script: WEB,
      });
      await ping(client, probed.address, 5);
      assert.match(condition(await readTap(objects, NAME), CONDITIONS.ready)?.message ?? "", /^Redirecting/);
    } finally {
      await removeWires();
    }
    await stage().reset();
    await untap(objects, NAME);
    assert.deepEqual(await stage().bridgeDifferences(before), []);
    await ping(client, web[0].address, 5);
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
