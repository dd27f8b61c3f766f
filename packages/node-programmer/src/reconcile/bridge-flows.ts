/**
 * Our flows on one bridge: what is there, as far as we know, and how it becomes what is wanted. What we know is as good
 * as the OpenFlow connection: it is held, and when it breaks or somebody touches our flows, we look again.
 */
import { diffFlows, fail, ok } from "ovs-ofctl-wrapper";
import type { Appctl, ConnectionMonitor, Flow, FlowChange, FlowEntry, OpenFlow, Result } from "ovs-ofctl-wrapper";
import { KIND, OWN_COOKIE, OWN_COOKIE_MASK, cookie, isOurs, kindOf } from "../pipeline";

export interface BridgeEvents {
  /** The connection is back after a loss: flows are probably gone. */
  restored: () => void;
  /** Somebody else has changed a flow of ours. */
  disturbed: () => void;
}

/** Milliseconds after a bundle of ours in which flow events are its echo. */
const ECHO = 200;
/** Milliseconds from the first touch of the marker to the next. */
const FIRST_PAUSE = 5;
/** ovs-vswitchd's default for max-revalidator, twice: by then every datapath flow has been looked at. */
const TWO_REVALIDATIONS = 1000;

export class BridgeFlows {
  /** What is on the bridge; null if it has to be looked up. */
  private current: readonly Flow[] | null = null;
  /** What the last bundle has made of it. */
  private inForce: readonly Flow[] = [];
  /** Held from the first time that flows of ours are in force. */
  private monitor: ConnectionMonitor | null = null;
  /** False from the loss of the connection until it is back. */
  reachable = true;
  /** Packets may have written down where their senders are. */
  private learns = false;
  /** The daemon has been away since the last bundle. */
  private wiped = false;
  private busyUntil = 0;

  constructor(
    readonly bridge: string,
    private readonly openflow: OpenFlow,
    private readonly appctl: Appctl,
    private readonly mayWrite: () => Promise<Result<unknown>>,
    private readonly events: BridgeEvents,
  ) {}

  close(): void {
    this.monitor?.close();
    this.monitor = null;
  }

  private watch(): ConnectionMonitor {
    const monitor = this.openflow.monitor(this.bridge);
    monitor.on("down", () => {
      this.reachable = false;
      this.wiped = true;
      this.current = null;
      this.learns = false;
    });
    monitor.on("up", () => {
      if (this.reachable) return;
      this.reachable = true;
      this.events.restored();
    });
    monitor.on("flow", (event) => {
      if (!isOurs(event.cookie) || isLearned(event) || Date.now() < this.busyUntil) return;
      this.current = null;
      this.events.disturbed();
    });
    return monitor;
  }

  /** Everything on the bridge; remembers what is ours. */
  async look(): Promise<Result<FlowEntry[]>> {
    const dump = await this.openflow.dumpFlows(this.bridge);
    if (dump.ok) this.remember(dump.value.filter((flow) => isOurs(flow.cookie)));
    return dump;
  }

  private remember(ours: readonly Flow[]): void {
    this.current = ours.filter((flow) => !isLearned(flow));
    this.learns ||= this.current.length < ours.length;
  }

  /**
   * Makes our flows the wanted ones, in one bundle. The value is the number of changes; settle follows if there were
   * any. Right after a restart of the daemon everything is added without a look: every millisecond counts, and
   * adding over what is there does no harm; what should not be there goes right after.
   */
  async apply(wanted: readonly Flow[]): Promise<Result<number>> {
    if (!this.reachable) return fail(`program ${this.bridge}`, "ovs-vswitchd is not there; waiting for it");
    const blind = this.wiped && wanted.length > 0;
    if (!blind && this.current === null) {
      const own = await this.openflow.dumpFlows(this.bridge, { cookie: OWN_COOKIE, cookieMask: OWN_COOKIE_MASK });
      if (!own.ok) return own;
      this.remember(own.value);
    }
    const current = blind ? [] : (this.current ?? []);
    // The marker alone steers nothing. It goes last, when everything else is gone: see settle.
    const marker = wanted.length === 0 && current.length > 1 ? current.filter(isMarker) : [];
    const changes = difference(current, [...wanted, ...marker]);
    const willLearn = wanted.some((flow) => kindOf(flow.cookie) === KIND.return);
    if (this.learns && !willLearn) changes.push({ kind: "delete", cookie: cookie(KIND.learned) });
    const done = await this.send(changes);
    // Not earlier: packets are waiting.
    if (wanted.length > 0) this.monitor ??= this.watch();
    if (!done.ok) return done;
    this.wiped = false;
    this.learns = willLearn;
    this.inForce = [...wanted, ...marker];
    this.current = blind ? null : this.inForce;
    if (!blind) return ok(changes.length);
    // The connection can end without the flows, by other `protocols` for example: what is not wanted any more goes now.
    const leftovers = await this.apply(wanted);
    return leftovers.ok ? ok(changes.length + leftovers.value) : leftovers;
  }

  /**
   * Waits until every packet meets the new flows: a bundle changes the tables at once, the datapath's cache follows.
   * revalidator/wait returns after the next round over that cache, up to half a second later unless something starts
   * one. Adding the marker once more does; again and again, because the round may be over before the wait has begun.
   * If the marker is all that is left, it goes at the end: no packet ever meets it.
   */
  async settle(): Promise<Result<void>> {
    const waiting = this.appctl.command("ovs-vswitchd", "revalidator/wait");
    const marker = this.inForce.find(isMarker);
    if (marker) {
      for (let pause = FIRST_PAUSE; ; pause *= 2) {
        const touched = await this.send([{ kind: "add", ...marker }]);
        if (!touched.ok) return touched;
        if (await within(pause, waiting)) break;
      }
      if (this.inForce.length === 1) {
        const { table, priority, match, cookie } = marker;
        const gone = await this.send([{ kind: "deleteStrict", table, priority, match, cookie }]);
        if (!gone.ok) return gone;
        this.current = this.inForce = [];
      }
    }
    const waited = await waiting;
    // "can't wait on multiple udpifs": a node with both datapaths.
    if (!waited.ok) await new Promise((resolve) => setTimeout(resolve, TWO_REVALIDATIONS));
    return ok(undefined);
  }

  /** One bundle; the flow events that it causes are not somebody else's. */
  private async send(changes: readonly FlowChange[]): Promise<Result<void>> {
    // Without a change there is no echo: what comes now is somebody else's doing, such as the wipe by set-fail-mode,
    // whose new fail_mode in the database is what has brought us here.
    if (changes.length === 0) return ok(undefined);
    const allowed = await this.mayWrite();
    if (!allowed.ok) {
      this.current = null;
      return allowed;
    }
    this.busyUntil = Infinity;
    const done = await this.openflow.bundle(this.bridge, changes);
    this.busyUntil = Date.now() + ECHO;
    if (!done.ok) this.current = null;
    return done;
  }
}

/** True if the promise is settled within so many milliseconds. */
async function within(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  const settled = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return settled;
}

/** diffFlows of what is not word for word the same: reading thousands of flows to find one that differs takes longer than Open vSwitch. */
function difference(current: readonly Flow[], wanted: readonly Flow[]): FlowChange[] {
  const place = ({ table, priority, match }: Flow): string => `${table} ${priority} ${match}`;
  const before = new Map(current.map((flow) => [place(flow), flow]));
  const changed: Flow[] = [];
  for (const flow of wanted) {
    const at = place(flow);
    const there = before.get(at);
    if (there?.actions === flow.actions && there.cookie === flow.cookie) before.delete(at);
    else changed.push(flow);
  }
  return diffFlows([...before.values()], changed);
}

function isMarker(flow: Flow): boolean {
  return kindOf(flow.cookie) === KIND.marker;
}

/** Packets make these, and time takes them away. */
function isLearned(flow: { cookie: bigint }): boolean {
  return kindOf(flow.cookie) === KIND.learned;
}
