/**
 * Entry of the one bundle: `node main.js admission` or `node main.js controller`. Reads the environment, sets Pepr's, and
 * puts the rooms together. Pepr is imported only after that, because it reads its settings when it is imported.
 */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import {
  Connection,
  EngineMetrics,
  KubernetesClient,
  logger,
  readEnvironment,
  serveStatus,
  systemClock,
} from "./capabilities/engine";
import type { TrafficControlActions } from "./capabilities/traffic-control";
import type { Controller } from "./capabilities/controller";
import configuration from "./package.json";

const log = logger("main");

/** Settings of Pepr that are the same in both roles. */
const PEPR_ENVIRONMENT = {
  // Ends the webhooks' paths. Not a secret: the API server is known by nothing else, and the answer tells nobody anything.
  PEPR_API_PATH: "v1alpha2",
  // Pepr exits after so many failed attempts to watch, 25 s into an outage of the API server by default.
  PEPR_RESYNC_FAILURE_MAX: "1000000000",
  // Without it, each relist adds a series to Pepr's metrics.
  PEPR_MAX_CACHE_MISS_WINDOWS: "5",
  // Pepr takes away every listener of Node's warnings if this is not set.
  PEPR_NODE_WARNINGS: "1",
  // Pepr logs four lines per request, with the whole object in them.
  LOG_LEVEL: process.env["PEPR_LOG_LEVEL"] ?? "warn",
};

/** Starts Pepr's module with the capability. Its watches begin at once, its server when `start` is called. */
async function peprModule(actions: TrafficControlActions, watch: boolean): Promise<{ start: (port: number) => void }> {
  Object.assign(process.env, PEPR_ENVIRONMENT, { PEPR_WATCH_MODE: String(watch) });
  const { PeprModule } = await import("pepr");
  const { trafficControlCapability } = await import("./capabilities/traffic-control");
  return new PeprModule(configuration, [trafficControlCapability(actions)], { deferStart: true });
}

async function admission(): Promise<() => Promise<void>> {
  const { admissionCallbacks, AdmissionMetrics, startAdmission } = await import("./capabilities/admission");
  const engine = new EngineMetrics({ processMetrics: true });
  const callbacks = admissionCallbacks(new AdmissionMetrics(engine), logger("admission"));
  const environment = {
    podNamespace: process.env["POD_NAMESPACE"] ?? "ovs-traffic-control",
    metricsPort: Number(process.env["METRICS_PORT"] ?? 8080),
    webhookPort: Number(process.env["WEBHOOK_PORT"] ?? 3000),
    drainMilliseconds: Number(process.env["DRAIN_SECONDS"] ?? 5) * 1000,
    temporaryDirectory: tmpdir(),
  };
  mkdirSync(environment.temporaryDirectory, { recursive: true });
  const module = await peprModule({ ...callbacks, wake: () => undefined }, false);
  const { stop } = await startAdmission({
    environment,
    api: new KubernetesClient({ connection: Connection.fromEnvironment(), metrics: engine }),
    clock: systemClock,
    log: logger("admission"),
    metrics: () => engine.registry.metrics(),
    startPepr: (files) => {
      Object.assign(process.env, { SSL_CERT_PATH: files.certificate, SSL_KEY_PATH: files.key });
      module.start(environment.webhookPort);
    },
  });
  return stop;
}

async function controller(): Promise<() => Promise<void>> {
  const { startController } = await import("./capabilities/controller");
  const environment = readEnvironment();
  let running: Controller | undefined;
  const status = await serveStatus({
    port: environment.metricsPort,
    metrics: async () => (await running?.metrics()) ?? "",
    healthy: () => running?.healthy() ?? true,
    ready: () => running?.ready() ?? false,
  });
  const started = await startController(environment);
  running = started;
  // Pepr's watch is a second alarm clock beside the engine's own informer; its server is never started.
  await peprModule(
    {
      refuseMistakes: (request) => request.Approve(),
      signObject: () => undefined,
      wake: ({ metadata }) => {
        if (metadata?.name !== undefined) started.enqueue(metadata.name);
      },
    },
    true,
  );
  return async () => {
    await started.stop();
    await status.close();
  };
}

const ROLES: Record<string, () => Promise<() => Promise<void>>> = { admission, controller };

async function main(): Promise<void> {
  const name = process.argv[2] ?? process.env["ROLE"] ?? "";
  const role = ROLES[name];
  if (role === undefined)
    throw new Error(`"${name}" is no role of this program: name one of ${Object.keys(ROLES).join(", ")}.`);
  process.on("unhandledRejection", (reason) => log.error({ err: reason }, "a bug: a promise was rejected unseen"));
  const stop = await role();
  log.info({ role: name, version: configuration.version }, "started");
  let stopping = false;
  const onSignal = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, "could not stop cleanly");
        process.exit(1);
      },
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, onSignal);
}

main().catch((error: unknown) => {
  log.fatal({ err: error }, "could not start");
  process.exit(1);
});
