/**
 * Keeps the webhook's certificates right: the Secret that the admission Pods serve with, and caBundle of both webhook
 * configurations. Run by the controller's leader, which needs no webhook itself. Level-triggered: it looks every few seconds,
 * so a deleted Secret or an overwritten caBundle (helm upgrade, kubectl apply) is mended without an event.
 */
import { ApiError, must, sleep, type Clock, type KubernetesApi, type Logger, type ObjectPath } from "../../engine";
import { dataOf, isSignedBy, readSecret, renewalReason, splitPem, validCas, type CertificateSecret } from "./bundle";
import { everyReplicaServes } from "./confirmation";
import { issue } from "./issue";
import { certificateSecret, serviceName, WEBHOOK_CONFIGURATIONS, type WebhookConfiguration } from "./objects";

const LOOK_EVERY_MS = 5_000;
const RETRY_AFTER_MS = 1_000;
/** A leaf lives so long; it is renewed when a third is left. */
const LIFE_MS = 90 * 24 * 3_600_000;
/** A CA goes when no admission Pod serves its leaf any more. Where that cannot be seen, caBundle must not grow for ever. */
const MOST_CAS = 5;
/** Until every API server has noticed a changed caBundle. */
const SETTLE_MS = 3_000;

export interface CertificateKeeperOptions {
  /** Where the admission Service and the Secret are. */
  namespace: string;
  clock: Clock;
  log: Logger;
  lifeMilliseconds?: number;
}

export interface CertificateKeeper {
  /** Looks at once and then again and again, until stopped. */
  start(): void;
  stop(): Promise<void>;
  /** One look. Throws if the API server does not do what is asked. */
  reconcile(): Promise<void>;
}

/** @param api writes Secret and webhook configurations; the leader's fenced client */
export function certificateKeeper(api: KubernetesApi, options: CertificateKeeperOptions): CertificateKeeper {
  const { clock, log } = options;
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  const reconcile = (): Promise<void> => keepCertificates(api, options);
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const well = await reconcile().then(
        () => true,
        (error: unknown) => {
          // 404 of a webhook configuration is no failure; anything else is tried again soon.
          const level = error instanceof ApiError && error.failure.code === 409 ? "info" : "warn";
          log[level]({ error: String(error) }, "the webhook's certificates could not be looked after; trying again");
          return false;
        },
      );
      await sleep(clock, well ? LOOK_EVERY_MS : RETRY_AFTER_MS, stopping.signal);
    }
  };
  return {
    start: () => {
      running ??= run();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
    reconcile,
  };
}

async function keepCertificates(api: KubernetesApi, options: CertificateKeeperOptions): Promise<void> {
  const { namespace, clock, log, lifeMilliseconds = LIFE_MS } = options;
  const path = certificateSecret(namespace);
  const secret = await getOrNothing<CertificateSecret>(api, path);
  const current = readSecret(secret);
  const dnsName = serviceName(namespace);
  const reason = renewalReason(current, dnsName, clock.now());
  if (reason === undefined && current !== undefined) {
    const cas = validCas(current.cas, clock.now());
    await trust(api, cas, log);
    const own = cas.filter((ca) => isSignedBy(current.certificate, ca));
    if (own.length === cas.length || !(await everyReplicaServes(api, namespace, current))) return;
    await writeSecret(api, path, secret, dataOf({ ...current, cas: own }));
    await trust(api, own, log);
    log.info("every admission Pod serves the new certificate: the CA before it is trusted no more");
    return;
  }
  // Without the Secret, the webhook configurations still say whom the running admission Pods are trusted by.
  const before = validCas(current?.cas ?? (await trusted(api)), clock.now());
  const fresh = await issue(dnsName, clock.now(), lifeMilliseconds);
  const cas = [fresh.ca, ...before].slice(0, MOST_CAS);
  // First the trust, then the certificate: whoever finds it in the Secret may serve with it at once.
  await trust(api, cas, log);
  if (before.length > 0) await sleep(clock, SETTLE_MS);
  await writeSecret(api, path, secret, dataOf({ ...fresh, cas }));
  log.info({ reason, dnsName }, "made a new certificate for the webhook");
}

/** The CAs in the webhook configurations. */
async function trusted(api: KubernetesApi): Promise<string[]> {
  const configurations = await Promise.all(
    WEBHOOK_CONFIGURATIONS.map((path) => getOrNothing<WebhookConfiguration>(api, path)),
  );
  const bundles = configurations
    .flatMap((found) => found?.webhooks ?? [])
    .map(({ clientConfig }) => clientConfig.caBundle);
  const cas = bundles.flatMap((bundle) => splitPem(Buffer.from(bundle ?? "", "base64").toString("utf8")));
  return [...new Set(cas)];
}

/** Puts the CAs into every webhook of the configurations that exist. */
async function trust(api: KubernetesApi, cas: readonly string[], log: Logger): Promise<void> {
  const caBundle = Buffer.from(cas.join("")).toString("base64");
  for (const path of WEBHOOK_CONFIGURATIONS) {
    const configuration = await getOrNothing<WebhookConfiguration>(api, path);
    const stale = (configuration?.webhooks ?? []).flatMap(({ clientConfig }, index) =>
      clientConfig.caBundle === caBundle ? [] : [index],
    );
    if (configuration === undefined || stale.length === 0) continue;
    const patch = stale.map((index) => ({
      op: "add" as const,
      path: `/webhooks/${index}/clientConfig/caBundle`,
      value: caBundle,
    }));
    // The test keeps an index from meaning another webhook than the one that was read.
    const unchanged = {
      op: "test" as const,
      path: "/metadata/resourceVersion",
      value: configuration.metadata.resourceVersion,
    };
    must(await api.jsonPatch(path, [unchanged, ...patch]), `Writing caBundle of the ${path.resource.plural}`);
    log.info({ configuration: path.resource.plural, webhooks: stale.length }, "wrote caBundle");
  }
}

async function writeSecret(
  api: KubernetesApi,
  path: ObjectPath,
  existing: CertificateSecret | undefined,
  data: Record<string, string>,
): Promise<void> {
  const metadata = { name: path.name, namespace: path.namespace };
  const body = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata, stringData: data };
  if (existing === undefined) {
    const { resource, namespace } = path;
    must(await api.create({ resource, namespace }, body), "Creating the Secret with the webhook's certificate");
    return;
  }
  // The type of a Secret cannot be changed.
  const guarded = { ...body, type: existing.type ?? body.type, metadata: { ...existing.metadata, ...metadata } };
  must(await api.replace(path, guarded), "Replacing the Secret with the webhook's certificate");
}

async function getOrNothing<T>(api: KubernetesApi, path: ObjectPath): Promise<T | undefined> {
  const result = await api.get<T>(path);
  if (!result.ok && result.code === 404) return undefined;
  return must(result, `Reading ${path.resource.plural} ${path.name ?? ""}`);
}
