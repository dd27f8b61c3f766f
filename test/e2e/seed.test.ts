/** The example from which this project comes, applied as a user does it. */
import assert from "node:assert/strict";
import { Capture } from "../support/capture";
import { stage } from "../support/e2e/hooks";
import { ready, untap } from "../support/e2e/taps";
import { packetDifference, ping, request, segmentsBetween } from "../support/e2e/traffic";

const MANIFEST = "docs/examples/mirror-web-app.yaml";
const NAME = "mirror-web-app";
const REQUESTS = 10;

describe("mirror-web-app, the example of the guide", () => {
  afterEach(() => untap(stage().objects, NAME));

  it("copies every packet between the web Pods and their client exactly once", async () => {
    const { cluster, client, web, objects } = stage();
    await cluster.kubectl(["apply", "--filename", MANIFEST]);
    await cluster.kubectl(["wait", `tc/${NAME}`, "--for=condition=Ready", "--timeout=30s"]);
    await ready(objects, NAME, 1);

    const seen = await Capture.start({ enter: client.launch, device: "eth0", filter: "tcp port 80" });
    const copies = await stage().collect(async () => {
      for (const pod of web) assert.equal((await request(client, pod.address, REQUESTS)).length, REQUESTS);
    });
    const sent = await seen.stop();

    assert.ok(
      sent.length >= web.length * REQUESTS * 8,
      `a client with ${sent.length} packets has not made its requests`,
    );
    const segments = web.flatMap((pod) => segmentsBetween(copies, client.address, pod.address));
    assert.deepEqual(packetDifference(sent, segments), { missing: [], surplus: [] });
    const gets = segments.filter(({ inner }) => inner.http === "GET /");
    assert.equal(gets.length, web.length * REQUESTS);
    const tunnels = new Set(segments.map(({ tunnel }) => JSON.stringify({ ...tunnel, source: "a node" })));
    assert.deepEqual(
      [...tunnels].map((text) => JSON.parse(text) as unknown),
      [{ kind: "vxlan", source: "a node", destination: "10.0.10.2", udpPort: 4789, vni: 0 }],
    );
    assert.equal(new Set(segments.map(({ tunnel }) => tunnel?.source)).size, 2, "both nodes send copies");
  });

  it("leaves every bridge as it was, and copies nothing once kubectl delete has returned", async () => {
    const { cluster, client, web } = stage();
    const before = await stage().bridges();
    await cluster.kubectl(["apply", "--filename", MANIFEST]);
    await cluster.kubectl(["wait", `tc/${NAME}`, "--for=condition=Ready", "--timeout=30s"]);
    assert.notDeepEqual(await stage().bridgeDifferences(before), [], "a tap shows in Open vSwitch");
    await cluster.kubectl(["delete", "tc", NAME]);
    const copies = await stage().collect(() => Promise.all(web.map((pod) => ping(client, pod.address, 50))));
    assert.deepEqual(copies, []);
    assert.deepEqual(await stage().bridgeDifferences(before), []);
  });
});
