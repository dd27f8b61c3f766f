/**
 * Entry of the one bundle: `node main.js admission`, `controller` or `drain`. Reads the environment, sets Pepr's, and puts the
 * rooms together. Pepr is imported only after that, because it reads its settings when it is imported.
 */
import { tmpdir } from "node:os";
import {
  admissionCallbacks,
  AdmissionMetrics,
  readAdmissionEnvironment,
  startAdmission,
  watchSurroundings,
} from "./capabilities/admission";
import { startController } from "./capabilities/controller";
import { drain } from "./capabilities/drain";
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
import configuration from "./package.json";
import type { PeprModule } from "pepr";

type Stop = () => Promise<void>;

const log = logger("main");

const PEPR_ENVIRONMENT = {
  // Ends the webhooks' paths. No secret: whoever reaches the port learns what a rule thinks of an object, nothing else.
  PEPR_API_PATH: "v1alpha2",
  // Pepr ends the process after so many failed attempts to watch: 25 s into an outage of the API server by default.
  PEPR_RESYNC_FAILURE_MAX: "1000000000",
  // Without it, each relist adds a series to Pepr's metrics.
  PEPR_MAX_CACHE_MISS_WINDOWS: "5",
  // Without it, Pepr takes away every listener of Node's warnings.
  PEPR_NODE_WARNINGS: "1",
  // Pepr logs four lines per request, with the whole object in them.
  LOG_LEVEL: process.env["PEPR_LOG_LEVEL"] ?? "warn",
};

/** Loads Pepr with our capability; what it returns makes the module, whose store and watch begin at once. */
async function loadPepr(actions: TrafficControlActions, mode: "admission" | "watch"): Promise<() => PeprModule> {
  Object.assign(process.env, PEPR_ENVIRONMENT, { PEPR_WATCH_MODE: String(mode === "watch") });
  const { PeprModule } = await import("pepr");
  const { trafficControlCapability } = await import("./capabilities/traffic-control");
  return () => new PeprModule(configuration, [trafficControlCapability(actions)], { deferStart: true });
}

async function admission(): Promise<Stop> {
  const environment = readAdmissionEnvironment(process.env, tmpdir());
  const metrics = new EngineMetrics({ processMetrics: true, version: configuration.version });
  const api = new KubernetesClient({ connection: Connection.fromEnvironment(), metrics });
  const watched = watchSurroundings(api, systemClock, logger("surroundings"));
  const counted = new AdmissionMetrics(metrics);
  const callbacks = admissionCallbacks(counted, logger("admission"), watched.surroundings);
  const makePepr = await loadPepr({ ...callbacks, wake: () => undefined }, "admission");
  let pepr: PeprModule | undefined;
  const serving = await startAdmission({
    environment,
    api,
    clock: systemClock,
    log: logger("admission"),
    metrics: () => metrics.registry.metrics(),
    onRefusal: (webhook, { code }) => counted.refuse(webhook, code),
    onCertificate: (certificate) => counted.serves(certificate),
    makePepr: () => {
      pepr = makePepr();
    },
    listen: ({ certificate, key }) => {
      Object.assign(process.env, { SSL_CERT_PATH: certificate, SSL_KEY_PATH: key });
      pepr?.start(environment.webhookPort);
    },
  });
  return async () => {
    await serving.stop();
    await watched.stop();
  };
}

async function controller(): Promise<Stop> {
  const environment = readEnvironment();
  const engine = await startController(environment, { version: configuration.version });
  const status = await serveStatus({
    port: environment.metricsPort,
    metrics: () => engine.metrics(),
    healthy: () => engine.healthy(),
    ready: () => engine.ready(),
  });
  const makePepr = await loadPepr(
    {
      refuseMistakes: (request) => request.Approve(),
      signObject: () => undefined,
      wake: ({ metadata }) => {
        if (metadata?.name !== undefined) engine.enqueue(metadata.name);
      },
    },
    "watch",
  );
  // A second alarm clock beside the engine's own informer. Pepr's server is not started: this process serves no webhook.
  const whenReachable = setInterval(() => {
    if (!engine.ready()) return;
    clearInterval(whenReachable);
    makePepr();
  }, 250);
  return async () => {
    clearInterval(whenReachable);
    await engine.stop();
    await status.close();
  };
}

/** Ends by itself, with exit code 0 once the operator may go. */
async function drainAndEnd(): Promise<Stop> {
  const environment = readEnvironment();
  const api = new KubernetesClient({ connection: Connection.fromEnvironment(), metrics: new EngineMetrics() });
  const { drainDeadlineSeconds: deadlineSeconds } = environment;
  const unconfirmed = await drain({ environment, deadlineSeconds, api, clock: systemClock, log: logger("drain") });
  if (unconfirmed.length > 0)
    log.warn(
      { nodes: unconfirmed },
      "not confirmed in time: taps may be left there until the release is installed again",
    );
  log.info("drained");
  process.exit(0);
}

const ROLES: Record<string, () => Promise<Stop>> = { admission, controller, drain: drainAndEnd };

async function main(): Promise<void> {
  const name = process.argv[2] ?? process.env["ROLE"] ?? "";
  const role = ROLES[name];
  if (role === undefined)
    throw new Error(`"${name}" is no role of this program: name one of ${Object.keys(ROLES).join(", ")}.`);
  process.on("unhandledRejection", (reason) => log.error({ err: reason }, "a bug: a rejection that nobody handles"));
  const stop = await role();
  log.info({ role: name, version: configuration.version }, "started");
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => end(signal, stop));
}

function end(signal: string, stop: Stop): void {
  log.info({ signal }, "stopping");
  stop().then(
    () => process.exit(0),
    (error: unknown) => {
      log.error({ err: error }, "could not stop cleanly");
      process.exit(1);
    },
  );
}

main().catch((error: unknown) => {
  log.fatal({ err: error }, "could not start");
  process.exit(1);
});
