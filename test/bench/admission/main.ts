/**
 * npm run bench:admission [-- --seconds 10]: how fast the webhook answers on real HTTPS, beside 0, 500 and 5,000
 * TrafficControls. One admission process, an API server with nothing else to do, and the client, all on this machine.
 */
import { Command } from "commander";
import { loadavg } from "node:os";
import path from "node:path";
import { cacheDirectory, withLock } from "../../../hack/toolchain";
import { AdmissionProcess } from "../../support/e2e/admission-process";
import { ApiServer } from "../../support/e2e/api-server";
import { machine } from "../report";
import { populate } from "./population";
import { load, warmUp, type Row } from "./load";
import { table } from "./table";

const EXISTING = [0, 500, 5_000];
const CONNECTIONS = [1, 32];
const WEBHOOKS = ["validate", "mutate"] as const;

const options = new Command("bench:admission")
  .description("Measures requests per second and latencies of the admission webhook.")
  .option("--seconds <number>", "length of each measurement", Number, 10)
  .parse()
  .opts<{ seconds: number }>();

const onWait = (holder: string): void => console.error(`Process ${holder} measures: waiting.`);
await withLock(path.join(cacheDirectory(), "bench-admission.lock"), { onWait }, measure);

async function measure(): Promise<void> {
  const before = loadavg()[0]!;
  const server = await ApiServer.withTrafficControls();
  try {
    const admission = await AdmissionProcess.start(server);
    try {
      await warmUp(admission);
      const rows: Row[] = [];
      for (const existing of EXISTING) {
        await populate(server, admission, existing);
        for (const webhook of WEBHOOKS)
          for (const connections of CONNECTIONS) {
            const seconds = options.seconds;
            rows.push(await load(admission, { existing, webhook, connections, seconds }));
            console.error(`${existing} TrafficControls, ${webhook}, ${connections} connections: done`);
          }
      }
      console.log(`\n${table(rows)}\n\n${machine(before, `npm run bench:admission -- --seconds ${options.seconds}`)}`);
    } finally {
      await admission.stop();
    }
  } finally {
    await server.stop();
  }
}
