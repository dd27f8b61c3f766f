/** The kubectl plugin on a real cluster: each verb as a user runs it, found by kubectl on the PATH. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import type { TrafficControl } from "@ovs-traffic-control/api";
import { bundlePlugin } from "../../hack/plugin";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { mirror, tap } from "../support/e2e/taps";
import { loadTcpdumpImage, TCPDUMP_IMAGE } from "../support/e2e/tcpdump-image";
import { ping } from "../support/e2e/traffic";

const TAP = "e2e-plugin";
const target = { vxlan: { remoteIP, vni: 7 } };

interface Answer {
  exitCode: number;
  stdout: string;
  stderr: string;
}

let directory = "";

/** `kubectl trafficcontrol …`, with the plugin on the PATH. */
function command(args: string[]): [program: string, args: string[]] {
  return ["sh", ["-c", 'PATH="$0:$PATH" exec kubectl trafficcontrol "$@"', directory, ...args]];
}

function plugin(args: string[], input?: string): Promise<Answer> {
  return stage().cluster.host(...command(args), input === undefined ? {} : { input });
}

async function said(args: string[], input?: string): Promise<string> {
  const { exitCode, stdout, stderr } = await plugin(args, input);
  assert.equal(exitCode, 0, stderr + stdout);
  return stdout;
}

describe("kubectl trafficcontrol", () => {
  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "kubectl-plugin-"));
    await bundlePlugin(directory);
  });
  after(() => rmSync(directory, { recursive: true }));

  it("status shows what is in force, and what is wrong on which node", async () => {
    const { objects, web, client } = stage();
    await tap(objects, mirror(TAP, target));
    await objects.apply(mirror("e2e-plugin-device", { device: { name: "nowhere0" } }));
    await ping(client, web[0].address, 3);
    await eventually("the missing device is a problem", async () => {
      const text = await said(["status"]);
      assert.match(text, /^NAME +ACTION +DIRECTION +PORTS +READY +NODES +PODS +PACKETS +REASON$/m);
      assert.match(text, /^e2e-plugin +Mirror +Both +vxlan:10\.0\.10\.2 +True +2\/2 +2 +\d+ +Realized$/m);
      assert.match(text, new RegExp(`^e2e-plugin-device +${web[0].node} +<none> +TargetPortMissing +.*nowhere0`, "m"));
      return true;
    });
    const { items } = JSON.parse(await said(["status", TAP, "-o", "json"])) as {
      items: { name: string; problems: unknown[] }[];
    };
    assert.deepEqual(
      items.map(({ name, problems }) => [name, problems]),
      [[TAP, []]],
    );
    const unknown = await plugin(["status", "nothing"]);
    assert.deepEqual(
      [unknown.exitCode, /There is no TrafficControl nothing; there are /.test(unknown.stderr)],
      [1, true],
    );
  });

  it("explain says what acts on a Pod, what overrules it, and why the rest does not", async () => {
    const { objects, namespace } = stage();
    await tap(objects, mirror(TAP, target));
    const redirect = (name: string): TrafficControl =>
      mirror(
        name,
        { ovsInternal: { name: "in0" } },
        { action: "Redirect", direction: "Egress", returnPort: { ovsInternal: { name: "out0" } } },
      );
    await tap(objects, redirect("e2e-plugin-older"));
    // The order is by seconds, then by name.
    await objects.apply(redirect("e2e-plugin-younger"));
    await objects.apply(
      mirror("e2e-plugin-other", target, { appliedTo: { podSelector: { matchLabels: { app: "other" } } } }),
    );
    await eventually("the Pod's rules are in force", async () => {
      const text = await said(["explain", "web-1", "-n", namespace]);
      assert.match(text, new RegExp(`^Pod ${namespace}/web-1 on node-1 `));
      assert.match(text, /^e2e-plugin +Mirror +Both +vxlan:10\.0\.10\.2 +\S+ +in force$/m);
      assert.match(text, /^e2e-plugin-older +Redirect +Egress +ovsInternal:in0 > ovsInternal:out0 .* in force$/m);
      assert.match(text, /^e2e-plugin-younger .* overruled: .*e2e-plugin-older \(Egress\)/m);
      assert.match(text, /^ {2}e2e-plugin-other: its selectors do not match/m);
      return true;
    });
    const missing = await plugin(["explain", "nobody"]);
    assert.deepEqual(
      [missing.exitCode, missing.stderr],
      [1, "There is no Pod nobody in the Namespace default; name another with -n.\n"],
    );
  });

  it("preview shows Pods, nodes, ports, warnings and refusals, and changes nothing", async () => {
    const { objects, cluster, namespace, web } = stage();
    await tap(objects, mirror(TAP, { ovsInternal: { name: "tap0" } }));
    const before = await cluster.kubectl(["get", "trafficcontrols,nodetrafficplans", "-o", "name"]);
    const manifest = (...all: TrafficControl[]): string => all.map((each) => JSON.stringify(each)).join("\n---\n");
    const wanted = mirror("e2e-plugin-new", target, { direction: "Ingress" });
    const text = await said(["preview", "-f", "-"], manifest(wanted));
    assert.match(text, /^TrafficControl e2e-plugin-new would be created: vxlan:10\.0\.10\.2, 2 Pods on 2 nodes\.$/m);
    assert.match(text, new RegExp(`^${web[1].node} +new +1 +${namespace}/web-2$`, "m"));
    assert.match(text, /^Warning: spec\.direction Ingress copies one half/m);
    const refused = await plugin(
      ["preview", "-f", "-"],
      manifest(mirror("e2e-plugin-bad", { device: { name: "tap0" } })),
    );
    assert.equal(refused.exitCode, 1);
    assert.match(
      refused.stdout,
      /^TrafficControl e2e-plugin-bad would be refused:\n.*"tap0" is an ovsInternal port in TrafficControl e2e-plugin /ms,
    );
    assert.equal(await cluster.kubectl(["get", "trafficcontrols,nodetrafficplans", "-o", "name"]), before);
  });

  it("capture prints the copies of a Pod's packets, decoded, and leaves no Pod", async () => {
    const { objects, cluster, namespace, web, client } = stage();
    await loadTcpdumpImage(cluster);
    await tap(objects, mirror(TAP, target));
    const args = ["capture", TAP, "-n", namespace, "--image", TCPDUMP_IMAGE, "--pod", "web-1", "--count", "6"];
    const child = cluster.spawnHost(...command(args), { stdio: ["ignore", "pipe", "pipe"] });
    const ended = once(child, "close");
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    try {
      await eventually(
        "both nodes listen",
        () => stderr.match(/listening on/g)?.length === 2 || Promise.reject(new Error(stderr)),
        { seconds: 60 },
      );
      // The other Pod's are not asked for.
      await ping(client, web[1].address, 3);
      await ping(client, web[0].address, 3);
      const [code] = (await ended) as [number];
      assert.equal(code, 0, stderr);
    } finally {
      child.kill();
      await ended;
    }
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{6} /, "").replace(/ id \d+,/, ""));
    const echo = (from: string, to: string, what: string, sequence: number): string =>
      `${web[0].node}  IP ${from} > ${to}: ICMP echo ${what}, seq ${sequence}, length 64`;
    assert.deepEqual(
      lines,
      [0, 1, 2].flatMap((sequence) => [
        echo(client.address, web[0].address, "request", sequence),
        echo(web[0].address, client.address, "reply", sequence),
      ]),
    );
    await eventually("the capturing Pods are gone", async () => {
      const pods = await cluster.kubectl([
        "get",
        "pods",
        "-n",
        namespace,
        "-l",
        "app.kubernetes.io/name=kubectl-trafficcontrol",
        "-o",
        "name",
      ]);
      return pods === "";
    });
  });

  it("support-bundle has objects, logs and metrics, lists them, and holds no Secret", async () => {
    await tap(stage().objects, mirror(TAP, target));
    const file = path.join(directory, "bundle.tar.gz");
    const text = await said(["support-bundle", "-o", file]);
    const { stdout: listed } = await execa("tar", ["-tzf", file]);
    const files = listed
      .split("\n")
      .filter((line) => !line.endsWith("/"))
      .map((line) => line.replace("bundle/", ""))
      .sort();
    assert.deepEqual(
      text
        .split("\n")
        .filter((line) => line.startsWith("  "))
        .map((line) => line.trim())
        .sort(),
      files,
    );
    assert.ok(!files.includes("missing.txt"), text);
    for (const part of [
      /^trafficcontrols\.yaml$/,
      /^nodetrafficplans\.yaml$/,
      /logs\/ovs-traffic-control-controller-.*\.log$/,
      /logs\/programmer-.*\.log$/,
      /metrics\/ovs-traffic-control-admission-.*\.txt$/,
    ])
      assert.ok(
        files.some((each) => part.test(each)),
        `${String(part)} in ${files.join(" ")}`,
      );
    const { stdout: contents } = await execa("tar", ["-xzOf", file]);
    assert.match(contents, /trafficcontrol_build_info/);
    assert.match(contents, /name: e2e-plugin$/m);
    assert.doesNotMatch(contents, /kind: Secret\b|BEGIN [A-Z ]*PRIVATE KEY|managedFields/);
  });
});
