/**
 * Leader election through a Lease with client-go's timing: whoever holds it renews every 2 s, gives up after 10 s without success, and
 * others take it after 15 s without renewal. Writes are guarded by resourceVersion, so two candidates never both succeed.
 */
import type { Clock } from "./clock";
import { sleep } from "./clock";
import { KubernetesClient, WRITE_TIMEOUT_MS, type KubernetesApi } from "./client";
import type { Connection } from "./connection";
import type { Logger } from "./log";
import type { EngineMetrics } from "./metrics";
import { RESOURCES } from "./resource";

const LEASE_SECONDS = 15;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;

interface Lease {
  metadata: { resourceVersion: string };
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

export interface LeaderElectionOptions {
  /** Not fenced: it writes the Lease before it leads. */
  api: KubernetesApi;
  namespace: string;
  name: string;
  identity: string;
  clock: Clock;
  metrics: EngineMetrics;
  log: Logger;
}

/** Not fenced, and soon ready for another attempt: half of the time in which one has to succeed, as controller-runtime has it. */
export function leaseClient(connection: Connection, metrics: EngineMetrics): KubernetesApi {
  const milliseconds = RENEW_DEADLINE_MS / 2;
  return new KubernetesClient({
    connection,
    metrics,
    readTimeoutMilliseconds: milliseconds,
    writeTimeoutMilliseconds: Math.min(milliseconds, WRITE_TIMEOUT_MS),
  });
}

export class LeaderElection {
  private readonly stopping = new AbortController();
  /** The Lease as last seen, and when it last changed by our own clock: other machines' clocks are not trusted. */
  private observed: { version: string; lease: Lease; at: number } | undefined;
  private renewedAt: number | undefined;
  /** For good: an answer that comes late does not make a leader of who has been told that he is none. */
  private hasLost = false;
  private attempt: Promise<unknown> = Promise.resolve();
  private running: Promise<void> | undefined;

  constructor(private readonly options: LeaderElectionOptions) {}

  /** The fence: true only while nobody else can hold the Lease. */
  isLeading = (): boolean => !this.hasLost && this.remaining() > 0;

  /** Calls back once when the Lease is won and once if it is lost afterwards. */
  start(callbacks: { onStartedLeading: () => void; onStoppedLeading: () => void }): void {
    this.running ??= this.run(callbacks);
  }

  /** Stops and, if leading, releases the Lease, so that a standby takes over at once. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await this.attempt;
    const held = this.observed;
    if (!this.isLeading() || held === undefined) return;
    this.renewedAt = undefined;
    const released = { ...held.lease, spec: { ...held.lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } };
    await this.options.api.replace<Lease>(this.path(), released);
  }

  private async run(callbacks: { onStartedLeading: () => void; onStoppedLeading: () => void }): Promise<void> {
    const { clock, metrics, name, log, identity } = this.options;
    const { signal } = this.stopping;
    metrics.leader.set({ name }, 0);
    while (!this.isStopped() && !(await this.tryAcquireOrRenew()))
      await sleep(clock, RETRY_MS * (1 + Math.random() * 0.2), signal);
    if (this.isStopped()) return;
    log.info({ identity, lease: name }, "leading");
    metrics.leader.set({ name }, 1);
    callbacks.onStartedLeading();
    while (!this.isStopped()) {
      await sleep(clock, RETRY_MS, signal);
      if (this.isStopped()) return;
      // Not later than the fence falls, however long the API server takes to answer.
      this.attempt = this.tryAcquireOrRenew();
      await Promise.race([this.attempt, sleep(clock, this.remaining(), signal)]);
      if (this.isStopped() || this.isLeading()) continue;
      this.hasLost = true;
      metrics.leader.set({ name }, 0);
      log.error({ identity, lease: name }, "lost the Lease");
      callbacks.onStoppedLeading();
      return;
    }
  }

  /** Milliseconds until the fence falls by itself. */
  private remaining(): number {
    return (this.renewedAt ?? -Infinity) + RENEW_DEADLINE_MS - this.options.clock.monotonic();
  }

  private isStopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private async tryAcquireOrRenew(): Promise<boolean> {
    const asked = this.options.clock.monotonic();
    // As client-go does: whoever leads knows the Lease and need not ask for it first.
    const held = this.renewedAt === undefined ? undefined : this.observed?.lease;
    if (held !== undefined) {
      const written = await this.write(held);
      if (written !== "conflict") return this.settle(written, asked);
    }
    const current = await this.options.api.get<Lease>(this.path());
    if (!current.ok && current.code !== 404) {
      this.options.log.warn({ failure: current }, "cannot read the Lease");
      return false;
    }
    const lease = current.ok ? current.value : undefined;
    this.observe(lease);
    const holder = lease?.spec?.holderIdentity ?? "";
    if (holder !== "" && holder !== this.options.identity) {
      // Somebody else has taken it while we believed to lead.
      this.renewedAt = undefined;
      if (!this.hasExpired()) return false;
    }
    return this.settle(await this.write(lease), asked);
  }

  /** Writes the Lease as ours over what is there; "conflict" if something else is there by now. */
  private async write(lease: Lease | undefined): Promise<Lease | "conflict" | undefined> {
    const { api, clock, identity, namespace, name, log } = this.options;
    const time = new Date(clock.now()).toISOString().replace("Z", "000Z");
    const isOurs = lease?.spec?.holderIdentity === identity;
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: LEASE_SECONDS,
      acquireTime: isOurs ? lease.spec?.acquireTime : time,
      renewTime: time,
      leaseTransitions: (lease?.spec?.leaseTransitions ?? 0) + (isOurs ? 0 : 1),
    };
    const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { namespace, name }, spec };
    const written =
      lease === undefined
        ? await api.create<Lease>({ resource: RESOURCES.leases, namespace }, body)
        : await api.replace<Lease>(this.path(), { ...body, metadata: lease.metadata });
    if (written.ok) return written.value;
    if (written.code === 409 || written.code === 404) return "conflict";
    log.warn({ failure: written }, "cannot write the Lease");
    return undefined;
  }

  private settle(written: Lease | "conflict" | undefined, asked: number): boolean {
    if (written === undefined || written === "conflict") return false;
    this.observe(written);
    // Counted from before the request: the Lease may have been renewed at any moment since.
    this.renewedAt = asked;
    return true;
  }

  private observe(lease: Lease | undefined): void {
    const version = lease?.metadata.resourceVersion;
    if (lease === undefined || version === undefined) this.observed = undefined;
    else if (this.observed?.version !== version) this.observed = { version, lease, at: this.options.clock.monotonic() };
  }

  private hasExpired(): boolean {
    if (this.observed === undefined) return true;
    const seconds = this.observed.lease.spec?.leaseDurationSeconds ?? LEASE_SECONDS;
    return this.options.clock.monotonic() - this.observed.at > seconds * 1000;
  }

  private path(): { resource: typeof RESOURCES.leases; namespace: string; name: string } {
    return { resource: RESOURCES.leases, namespace: this.options.namespace, name: this.options.name };
  }
}
