/** Each manifest of the documentation, given to a real API server with the operator behind it. */
import assert from "node:assert/strict";
import type { TrafficControl } from "@ovs-traffic-control/api";
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
