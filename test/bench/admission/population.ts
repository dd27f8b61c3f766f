/** The TrafficControls that are there already. Called by main.ts. */
import { TRAFFIC_CONTROL } from "@ovs-traffic-control/api";
import { must } from "../../../capabilities/engine";
import type { AdmissionProcess } from "../../support/e2e/admission-process";
import type { ApiServer } from "../../support/e2e/api-server";
import { eventually } from "../../support/e2e/eventually";
import { reviewOf } from "../../support/e2e/reviews";
import { WebhookClient } from "../../support/e2e/webhook-client";
import { manifest } from "../../unit/admission/cases";

const AT_ONCE = 32;
let made = 0;

/** Makes what is missing to `count`, and waits until the admission process has heard of all. */
export async function populate(server: ApiServer, admission: AdmissionProcess, count: number): Promise<void> {
  if (count === made) return;
  const resource = TRAFFIC_CONTROL;
  const workers = Array.from({ length: AT_ONCE }, async () => {
    while (made < count) {
      const number = made++;
      must(await server.client.create({ resource }, existing(number)), `Creating TrafficControl ${number}`);
    }
  });
  await Promise.all(workers);
  const marker = { targetPort: { device: { name: `end${count}` } } };
  must(
    await server.client.create({ resource }, manifest({ title: "", change: marker }, `end-${count}`)),
    "The last one",
  );
  const contrary = { targetPort: { ovsInternal: { name: `end${count}` } } };
  const body = Buffer.from(JSON.stringify(reviewOf(manifest({ title: "", change: contrary }, "contrary"))));
  const client = new WebhookClient(admission, 1);
  await eventually(
    "the admission process knows them all",
    async () => {
      const { body: said } = await client.post("/validate/v1alpha2", { "Content-Type": "application/json" }, body);
      return said.includes(`TrafficControl end-${count}`);
    },
    { seconds: 60 },
  );
  client.close();
}

/** Every second one sends to the port that the measured ones send to, the others have ports of their own. */
function existing(number: number): Record<string, unknown> {
  const appliedTo = { podSelector: { matchLabels: { app: `app-${number}` } } };
  const own = { targetPort: { geneve: { remoteIP: "10.0.10.3", vni: number } } };
  return manifest({ title: "", change: { appliedTo, ...(number % 2 === 0 ? own : {}) } }, `tap-${number}`);
}
