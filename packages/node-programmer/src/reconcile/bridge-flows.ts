/**
 * Our flows on one bridge: what is there, as far as we know, and how it becomes what is wanted. What we know is as good
 * as the OpenFlow connection: it is held, and when it breaks or somebody touches our flows, we look again.
 */
import { diffFlows, fail, ok } from "ovs-ofctl-wrapper";
import type {
  Appctl,
  ConnectionMonitor,
  Flow,
  FlowChange,
  FlowEntry,
  FlowFilter,
  OpenFlow,
  Result,
} from "ovs-ofctl-wrapper";
import { KIND, LEARNED, RETURN, OWN_COOKIE, OWN_COOKIE_MASK, cookie, isOurs, kindOf, marksThePlan } from "../pipeline";
import { changeOfVersion, deletionOf, isMarker, isOvertaken, newVersion } from "./version";

export interface BridgeEvents {
  /** The connection is back after a loss: flows are probably gone. */
  restored: () => void;
  /** They were, all of them. */
  emptied: () => void;
  /** Somebody else has changed a flow of ours. */
  disturbed: () => void;
  /** Somebody else has changed a flow of theirs. */
  changed: (table: number) => void;
}

/** Milliseconds from the first touch of the marker to the next. */
const FIRST_PAUSE = 5;
/** How often somebody may put other flows over ours during one change, as a restore does, before the pass has to be repeated. */
const RESTORES = 3;
/** ovs-vswitchd's default for max-revalidator, twice: by then every datapath flow has been looked at. */
const TWO_REVALIDATIONS = 1000;

/** Our flows on the bridge, those apart that packets make. */
interface Present {
  /** One, whose version is that of the last bundle; none if there are no flows. */
  markers: readonly Flow[];
  flows: readonly Flow[];
}

const NOTHING: Present = { markers: [], flows: [] };

export class BridgeFlows {
  /** What is on the bridge; null if it has to be looked up. */
  private current: Present | null = null;
  /** Our bundle was the last one on the bridge, at some time since the lock is ours: no earlier one can follow any more. */
  private isTaken = false;
  /** There was nothing of ours before our last bundle, and after it nobody has confirmed that the lock is ours. */
  private isDoubtful = false;
  /** Held from the first time that flows of ours are in force. */
  private monitor: ConnectionMonitor | null = null;
  /** False from the loss of the connection until it is back. */
  reachable = true;
  /** Packets may have written down where their senders are. */
  private learns = false;
  /** The daemon has been away since the last bundle. */
  private wiped = false;
  /** What our last bundle has left; null if we cannot know. */
  private left: readonly Flow[] | null = null;
  /** Something else was found than it has left: somebody else has changed it. */
  private drifted = false;

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

  /** The lock was somebody else's for a while. */
  takeAgain(): void {
    this.isTaken = false;
  }

  private watch(): ConnectionMonitor {
    const monitor = this.openflow.monitor(this.bridge);
    monitor.on("down", () => {
      this.reachable = false;
      this.wiped = true;
      this.left = null;
      this.current = null;
      this.learns = false;
    });
    monitor.on("up", () => {
      if (this.reachable) return;
      this.reachable = true;
      this.events.restored();
    });
    monitor.on("flow", (event) => {
      if (!isOurs(event.cookie)) this.events.changed(event.table);
      else if (!isLearned(event)) this.events.disturbed();
    });
    return monitor;
  }

  /** Everything on the bridge, or at least what is ours; remembers that. */
  async look(filter: FlowFilter = {}): Promise<Result<FlowEntry[]>> {
    const dump = await this.openflow.dumpFlows(this.bridge, filter);
    if (dump.ok) this.remember(dump.value.filter((flow) => isOurs(flow.cookie)));
    return dump;
  }

  private remember(ours: readonly Flow[]): void {
    const made = ours.filter((flow) => !isLearned(flow));
    this.current = { markers: made.filter(isMarker), flows: made.filter((flow) => !isMarker(flow)) };
    this.learns ||= made.length < ours.length;
    if (this.left) this.drifted ||= difference(this.current.flows, this.left).length > 0;
  }

  /** Whether somebody else had changed what the last apply has put right; said once. */
  takeRepair(): boolean {
    const { drifted } = this;
    this.drifted = false;
    return drifted;
  }

  /**
   * Makes our flows the wanted ones, in one bundle. The value is the number of changes; settle follows if there were
   * any. Right after a restart of the daemon everything is added without a look: every millisecond counts. `mark`: settle
   * follows in any case, so the marker has to be there.
   */
  async apply(wanted: readonly Flow[], mark = false): Promise<Result<number>> {
    for (let patience = RESTORES; ; patience--) {
      const done = await this.tryToApply(wanted, mark);
      if (done.ok || !isOvertaken(done.error) || patience === 0) return done;
      // A lost connection has not taken the flows with it, by other `protocols` for example; or somebody else has written.
      this.wiped = false;
    }
  }

  private async tryToApply(wanted: readonly Flow[], mark: boolean): Promise<Result<number>> {
    if (!this.reachable) return fail(`program ${this.bridge}`, "ovs-vswitchd is not there; waiting for it");
    if (this.wiped) this.current = wanted.length > 0 ? NOTHING : null;
    if (this.current === null) {
      const own = await this.openflow.dumpFlows(this.bridge, { cookie: OWN_COOKIE, cookieMask: OWN_COOKIE_MASK });
      if (!own.ok) return own;
      this.remember(own.value);
    }
    const { markers, flows } = this.current ?? NOTHING;
    const goal = wanted.filter((flow) => !isMarker(flow));
    const changes = difference(flows, goal);
    const willLearn = goal.some((flow) => kindOf(flow.cookie) === KIND.return);
    if (this.learns && !willLearn) changes.push({ kind: "delete", cookie: cookie(KIND.learned) });
    else if (this.learns) changes.push(...oblivion(changes));
    // The marker alone steers nothing. It goes last, when everything else is gone: see settle.
    const marker = wanted.find(isMarker) ?? (changes.length > 0 || mark ? marksThePlan("") : null);
    const isMarked = markers.length === (marker ? 1 : 0) && markers[0]?.cookie === marker?.cookie;
    if (changes.length > 0 || !isMarked || (marker && !this.isTaken)) {
      const done = await this.send(changes, marker, goal);
      if (!done.ok) return done;
      this.learns = willLearn;
      if (this.wiped) this.events.emptied();
      this.wiped = false;
    }
    return ok(changes.length);
  }

  /**
   * Waits until every packet meets the new flows: a bundle changes the tables at once, the datapath's cache follows.
   * revalidator/wait returns after the next round over that cache, up to half a second later unless something starts
   * one. Another version of the marker does; again and again, because the round may be over before the wait has begun.
   * If the marker is all that is left, it goes at the end: no packet ever meets it. What somebody puts over the wanted flows
   * meanwhile (`ovs-ctl restart` restores old ones) goes at once.
   */
  async settle(wanted: readonly Flow[]): Promise<Result<void>> {
    const waiting = this.appctl.command("ovs-vswitchd", "revalidator/wait");
    let patience = RESTORES;
    for (let pause = FIRST_PAUSE; this.current; pause *= 2) {
      const { markers, flows } = this.current;
      const touched = await this.send([], markers[0] ?? null, flows);
      if (!touched.ok && (!isOvertaken(touched.error) || patience-- === 0)) return touched;
      const again = touched.ok ? touched : await this.apply(wanted, true);
      if (!again.ok) return again;
      if (await within(pause, waiting)) break;
    }
    if (this.current?.flows.length === 0) {
      const gone = await this.send([], null, []);
      if (!gone.ok) return gone;
    }
    const waited = await waiting;
    // "can't wait on multiple udpifs": a node with both datapaths.
    if (!waited.ok) await new Promise((resolve) => setTimeout(resolve, TWO_REVALIDATIONS));
    return ok(undefined);
  }

  /** One bundle, which leaves these flows and another version of the marker, if our last one is what is there. */
  private async send(
    changes: readonly FlowChange[],
    marker: Flow | null,
    flows: readonly Flow[],
  ): Promise<Result<void>> {
    const allowed = await this.mayWrite();
    if (!allowed.ok) return allowed;
    const before = this.current?.markers ?? [];
    this.current = this.left = null;
    const next = marker && newVersion(marker);
    const done = await this.openflow.bundle(this.bridge, [...changeOfVersion(before, next), ...changes]);
    // Not earlier: packets are waiting.
    if (next) this.monitor ??= this.watch();
    if (!done.ok) return done;
    this.isTaken = true;
    this.current = { markers: next ? [next] : [], flows };
    this.left = flows;
    // An empty bridge looks the same before somebody else's flows and after them.
    this.isDoubtful = before.length === 0 && next !== null && !(await this.mayWrite()).ok;
    return ok(undefined);
  }

  /** The node is somebody else's. If that may have been so already when the first flows came here, they go. */
  async withdraw(): Promise<void> {
    const { markers, flows } = this.current ?? NOTHING;
    const [marker] = markers;
    if (!this.isDoubtful || !marker) return;
    const last = newVersion(marker);
    const learned: FlowChange = { kind: "delete", cookie: cookie(KIND.learned) };
    const gone = [...changeOfVersion([marker], last), ...deletionOf(flows), learned];
    // Refused if its owner has written since.
    if ((await this.openflow.bundle(this.bridge, gone)).ok) await this.openflow.bundle(this.bridge, deletionOf([last]));
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

/**
 * A Pod has come, gone or moved to another port: what was learned of its addresses leads to where it was, and would be put
 * right by its next packet only, which would be lost.
 */
function oblivion(changes: readonly FlowChange[]): FlowChange[] {
  return changes.flatMap((change): FlowChange[] => {
    const mac = change.table === RETURN ? /(?:^|,)(dl_src=[0-9a-f:]{17})$/.exec(change.match ?? "")?.[1] : undefined;
    return mac === undefined ? [] : [{ kind: "delete", cookie: cookie(KIND.learned), table: LEARNED, match: mac }];
  });
}

/** Packets make these, and time takes them away. */
function isLearned(flow: { cookie: bigint }): boolean {
  return kindOf(flow.cookie) === KIND.learned;
}
