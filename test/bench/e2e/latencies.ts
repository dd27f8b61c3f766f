/** The latencies that a user of the operator sees, each from its own cause to a packet at the collector. Used by main.ts. */
import type { PacketRecord } from "../../support/pcap";
import { wallClock } from "../../support/e2e/clock";
import { eventually } from "../../support/e2e/eventually";
import type { Reference } from "../../support/e2e/objects";
import { podObject } from "../../support/e2e/pods";
import type { Stage } from "../../support/e2e/stage";
import { mirror, ready, tap, untap } from "../../support/e2e/taps";
import { PingStream } from "../../support/e2e/traffic";

const JOBS = "ovs-traffic-control-nodes";
const NAME = "bench";
const PROBE_SECONDS = 0.002;
const QUIET_SECONDS = 0.3;
const first = { podSelector: { matchLabels: { app: "web", bench: "target" } } };

/** Milliseconds of one creation, from three points to the first copy. */
export interface Creation {
  sent: number;
  answered: number;
  /** Until the status said Ready. */
  ready: number;
  /** The points, in seconds since the epoch. */
  at: { sent: number; answered: number; copy: number };
}

export class Bench {
  private constructor(
    private readonly stage: Stage,
    private readonly stream: PingStream,
  ) {}

  /** A steady stream of echo requests into the Pod web-1, which alone is tapped. */
  static async start(stage: Stage): Promise<Bench> {
    const [web] = stage.web;
    const metadata = { name: "web-1", namespace: stage.namespace, labels: { bench: "target" } };
    await stage.objects.patch({ apiVersion: "v1", kind: "Pod", metadata });
    return new Bench(stage, await PingStream.start(stage.client, web.address, PROBE_SECONDS));
  }

  async stop(): Promise<void> {
    await this.stream.stop();
  }

  /** POST → first copy. */
  async creation(): Promise<Creation> {
    return this.observe(async (arrival) => {
      const sent = wallClock();
      await this.stage.objects.create(this.tap());
      const answered = wallClock();
      await ready(this.stage.objects, NAME, 1);
      const readyAt = wallClock();
      const copy = await arrival();
      const at = { sent, answered, copy };
      return { sent: ms(copy - sent), answered: ms(copy - answered), ready: ms(readyAt - sent), at };
    });
  }

  /** Start of `kubectl apply` → first copy. */
  async apply(): Promise<number> {
    return this.observe(async (arrival) => {
      const started = wallClock();
      await this.stage.cluster.kubectl(["apply", "--filename", "-"], { input: JSON.stringify(this.tap()) });
      return ms((await arrival()) - started);
    });
  }

  /** No programmer on the node: its Job has been deleted, and nothing asks for another one yet. */
  async withoutProgrammer(): Promise<void> {
    const { objects } = this.stage;
    const jobs = await objects.list<Reference>("batch/v1", "Job", JOBS);
    for (const { metadata } of jobs) await objects.delete({ apiVersion: "batch/v1", kind: "Job", metadata });
    await eventually("no programmer is left", async () => (await objects.list("v1", "Pod", JOBS)).length === 0, {
      seconds: 60,
    });
  }

  /** DELETE answered and object gone → last copy; negative if the last copy came before. */
  async deletion(): Promise<{ answered: number; gone: number; duration: number }> {
    const { objects, collector } = this.stage;
    await tap(objects, this.tap());
    const capture = await collector.capture();
    try {
      await eventually("copies arrive", () => capture.count > 20, { pauseMilliseconds: 10 });
      const sent = wallClock();
      await objects.delete({ apiVersion: this.tap().apiVersion!, kind: "TrafficControl", metadata: { name: NAME } });
      const answered = wallClock();
      await untap(objects, NAME);
      const gone = wallClock();
      await quiet(() => capture.count);
      const last = capture.records().at(-1)!.time;
      return { answered: ms(last - answered), gone: ms(last - gone), duration: ms(gone - sent) };
    } finally {
      await capture.discard();
    }
  }

  /** A new Pod that sends as soon as it runs: POST answered → first copy, and how many of its packets were missed. */
  async newPod(run: number): Promise<{ answered: number; missed: number }> {
    const { objects, collector, client, web, namespace } = this.stage;
    const appliedTo = {
      podSelector: { matchExpressions: [{ key: "bench", operator: "In" as const, values: ["new", "target"] }] },
    };
    await tap(objects, mirror(NAME, this.tap().spec.targetPort, { appliedTo, direction: "Egress" }));
    const capture = await collector.capture();
    try {
      const name = `new-${run}`;
      const script = `exec busybox ping -i 0.01 ${client.address}`;
      const labels = { ...(this.tap().metadata.labels ?? {}), bench: "new" };
      const pod = podObject({ namespace, name, node: web[0].node, labels, script });
      await objects.create(pod);
      const answered = wallClock();
      const copy = await eventually(
        "the new Pod's copies",
        async () => {
          const packets = await capture.packets();
          return packets.find(({ inner }) => inner.icmpType === 8 && inner.destination === client.address);
        },
        { seconds: 30, pauseMilliseconds: 200 },
      );
      await objects.delete(pod, 0);
      await eventually("the new Pod is gone", async () => (await objects.read(pod)) === undefined);
      await untap(objects, NAME);
      return { answered: ms(copy.time - answered), missed: copy.inner.sequence ?? NaN };
    } finally {
      await capture.discard();
    }
  }

  private tap(): ReturnType<typeof mirror> {
    return mirror(NAME, { vxlan: { remoteIP: this.stage.collector.address } }, { appliedTo: first });
  }

  /** Captures around a creation, and removes it. `arrival` waits for the time of the first copy. */
  private async observe<T>(act: (arrival: () => Promise<number>) => Promise<T>): Promise<T> {
    const capture = await this.stage.collector.capture();
    try {
      const arrival = async (): Promise<number> => {
        const look = (): PacketRecord | undefined => capture.records()[0];
        return (await eventually("the first copy", look, { seconds: 60, pauseMilliseconds: 10 })).time;
      };
      const found = await act(arrival);
      await untap(this.stage.objects, NAME);
      return found;
    } finally {
      await capture.discard();
    }
  }
}

/** Returns when the number has not changed for a while. */
async function quiet(count: () => number): Promise<void> {
  for (let before = -1, now = count(); now !== before; now = count()) {
    before = now;
    await new Promise((resolve) => setTimeout(resolve, QUIET_SECONDS * 1000));
  }
}

function ms(seconds: number): number {
  return seconds * 1000;
}
