/** Each manifest and each command of the documentation, given to a real cluster with the operator in it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TrafficControl } from "@ovs-traffic-control/api";
import { bundlePlugin } from "../../hack/plugin";
import { NOT_RUN, pageCommands, whyNotRun } from "../support/docs/commands";
import { examples, mistakeSections, type Manifest } from "../support/docs/pages";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { EARLY, refusal } from "../support/e2e/refusal";
import { readTap, tap, TEST_LABEL } from "../support/e2e/taps";

const labelled = (manifest: Manifest, name: string): TrafficControl =>
  ({
    ...manifest,
    apiVersion: "crd.antrea.io/v1alpha2",
    metadata: { name, labels: TEST_LABEL },
  }) as object as TrafficControl;

describe("the documentation's examples", () => {
  for (const { place, manifest } of examples())
    it(`are in force when they are applied: ${place}`, () =>
      tap(stage().objects, labelled(manifest, manifest.metadata!.name!)));
});

describe("the documentation's commands", () => {
  const commands = pageCommands();
  let directory = "";

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "kubectl-plugin-"));
    await bundlePlugin(directory);
  });
  after(() => rmSync(directory, { recursive: true }));

  it("are run, unless it is said why not, and no reason is given for a command that is not there", () => {
    const unused = NOT_RUN.filter(([pattern]) => !commands.some(({ command }) => pattern.test(command)));
    assert.deepEqual(unused, []);
    const run = commands.filter(({ command }) => whyNotRun(command) === undefined);
    assert.ok(run.length > 20 && run.every(({ command }) => command.startsWith("kubectl ")));
  });

  it("end well and print something, one after the other, on a cluster with the page's mirror", async () => {
    const { cluster, objects, namespace, web } = stage();
    // Pages name the Pod without its Namespace, which is the default one.
    await stage().startPod({ namespace: "default", name: "web-1", node: web[0].node, labels: { app: "web" } });
    const example = examples().find(({ manifest }) => manifest.metadata?.name === "mirror-web-app")!.manifest;
    await tap(objects, labelled(example, "mirror-web-app"));
    const programmer = await programmerOn(web[0].node);
    const names = { NAMESPACE: namespace, NAME: "mirror-web-app", NODE: web[0].node, POD: programmer };
    const isDeletion = (command: string): boolean => / delete /.test(command);
    const run = commands.filter(({ command }) => whyNotRun(command) === undefined);
    // What a page deletes at its end, the next one shows.
    const ordered = [
      ...run.filter(({ command }) => !isDeletion(command)),
      ...run.filter(({ command }) => isDeletion(command)),
    ];
    const failed: string[] = [];
    for (const { page, command } of ordered) {
      const meant = command.replace(/\b(NAMESPACE|NAME|NODE|POD)\b/g, (word) => names[word as keyof typeof names]);
      const { exitCode, stdout, stderr } = await cluster.host("sh", ["-c", `PATH="${directory}:$PATH"; ${meant}`]);
      if (exitCode !== 0 || stdout === "") failed.push(`${page}: ${meant}: ${exitCode} ${stderr}${stdout}`);
    }
    assert.deepEqual(failed, []);
  });

  async function programmerOn(node: string): Promise<string> {
    const args = ["get", "pods", "-n", "ovs-traffic-control-nodes", "--field-selector"];
    const running = `status.phase=Running,spec.nodeName=${node}`;
    return stage().cluster.kubectl([...args, running, "-o", "jsonpath={.items[0].metadata.name}"]);
  }
});

describe("the guide to mistakes", () => {
  for (const { title, existing, refused, said, unknown, right } of mistakeSections()) {
    // A Node is what it is; test/unit/admission/mistakes-page.test.ts looks at these.
    if (existing.some(({ kind }) => kind === "Node")) continue;
    it(`says what the API server says, and shows what it accepts instead: ${title}`, async () => {
      const { objects } = stage();
      for (const each of existing) {
        const name = each.metadata!.name!;
        await objects.apply(labelled(each, name));
        await eventually("it is stored", async () => (await readTap(objects, name)) !== undefined);
      }
      const asked = async (): Promise<string | undefined> => (await refusal(labelled(refused, "e2e-docs")))?.trim();
      if (unknown) assert.ok((await asked())?.endsWith(said));
      // A Pod that has not heard of the existing one yet leaves the answer to the validating webhook, or to the next time.
      else await eventually(said, async () => textOf((await asked()) ?? "") === said);
      assert.equal(await refusal(labelled(right, "e2e-docs")), undefined);
    });
  }
});

/** What the webhook itself has said. */
function textOf(message: string): string {
  return message.replace('"validate.', '"early.').replace(EARLY, "").trim();
}
