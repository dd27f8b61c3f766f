/** One measurement: so many connections, each of which sends the next review when it has the answer to the last. Called by main.ts. */
import autocannon from "autocannon";
import { sumOf, type AdmissionProcess } from "../../support/e2e/admission-process";
import { reviewOf } from "../../support/e2e/reviews";
import { manifest } from "../../unit/admission/cases";
import { percentile } from "../e2e/statistics";

export interface Run {
  /** TrafficControls in the cluster. */
  existing: number;
  webhook: "validate" | "mutate";
  connections: number;
  seconds: number;
}

export interface Row extends Run {
  perSecond: number;
  /** Milliseconds until the answer. */
  p50: number;
  p99: number;
  max: number;
  /** Milliseconds of the longest time in which the process's event loop did not get round, whatever kept it. */
  longestBlock: number;
  /** How many callbacks took longer than 10 ms. */
  slowCallbacks: number;
}

/** prom-client asks Node's monitorEventLoopDelay for this resolution, which the delays that it reports contain. */
const RESOLUTION_MS = 10;
const LATENCY = "controller_runtime_webhook_latency_seconds";

/** Creations and changes of all kinds of port, all of them right. */
const BODIES = Array.from({ length: 64 }, (_, number) => {
  const appliedTo = { podSelector: { matchLabels: { app: `new-${number}`, tier: "web" } } };
  const object = manifest({ title: "", change: { appliedTo } }, `new-${number}`);
  const old = manifest({ title: "", change: { direction: "Ingress" } }, `new-${number}`);
  return JSON.stringify(number % 4 === 0 ? reviewOf(object, old) : reviewOf(object));
});

/** Until the code is compiled. */
export async function warmUp(admission: AdmissionProcess): Promise<void> {
  for (const webhook of ["validate", "mutate"] as const)
    await load(admission, { existing: 0, webhook, connections: 8, seconds: 3 });
}

export async function load(admission: AdmissionProcess, run: Run): Promise<Row> {
  const before = await admission.metrics();
  const latencies = await send(admission, run);
  const after = await admission.metrics();
  const slow = (metrics: string): number =>
    sumOf(metrics, `${LATENCY}_count`) - sumOf(metrics, `${LATENCY}_bucket`, { le: "0.01" });
  return {
    ...run,
    perSecond: latencies.length / run.seconds,
    ...{ p50: percentile(latencies, 50), p99: percentile(latencies, 99), max: percentile(latencies, 100) },
    longestBlock: Math.max(0, sumOf(after, "nodejs_eventloop_lag_max_seconds") * 1000 - RESOLUTION_MS),
    slowCallbacks: slow(after) - slow(before),
  };
}

/** Milliseconds of each request. Throws if one has failed or was refused. */
async function send(admission: AdmissionProcess, { webhook, connections, seconds }: Run): Promise<number[]> {
  const latencies: number[] = [];
  const options: autocannon.Options = {
    ...{ url: `https://127.0.0.1:${admission.port}/${webhook}/v1alpha2?timeout=5s`, connections, duration: seconds },
    ...{ method: "POST", headers: { "content-type": "application/json" } },
    servername: admission.serverName,
    tlsOptions: { ca: admission.certificate.ca },
    requests: BODIES.map((body) => ({ body })),
    verifyBody: (body) => String(body).includes('"allowed":true'),
  };
  const { errors, non2xx, mismatches } = await new Promise<autocannon.Result>((resolve, reject) => {
    autocannon(options, (error: Error | null, result) => (error ? reject(error) : resolve(result))).on(
      "response",
      (_client, _status, _bytes, milliseconds) => latencies.push(milliseconds),
    );
  });
  if (errors + non2xx + mismatches > 0)
    throw new Error(`${errors} requests failed, ${non2xx} answers were no success, ${mismatches} were refusals.`);
  return latencies;
}
