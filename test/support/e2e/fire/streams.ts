/**
 * Two streams of echo requests from one client: one through a Mirror, one through a Redirect to an inspection device, each
 * counted on the wire where it begins and where it is seen. Used by test/e2e/under-fire.test.ts.
 */
import { Capture } from "../../capture";
import type { Packet } from "../../decode";
import type { Pod } from "../pods";
import type { Stage } from "../stage";
import { PingStream } from "../traffic";
import { account, type Account, type Interruption, type Sightings } from "./ledger";

const REQUEST = 8;
const REPLY = 0;
/** So that the 16 bits of a sequence number last for more than fifteen minutes. */
const PAUSE_SECONDS = 0.02;

/** An interruption, and the node whose packets it concerns. */
export interface NodeInterruption extends Interruption {
  node: string;
}

export class TappedStreams {
  private constructor(
    private readonly stage: Stage,
    private readonly mirrored: Pod,
    private readonly redirected: Pod,
    private readonly captures: { client: Capture; collector: Capture; device: Capture },
    private readonly pings: PingStream[],
  ) {}

  /** @param device the inspection device's end of the target port, on the redirected Pod's node */
  static async start(stage: Stage, mirrored: Pod, redirected: Pod, device: string): Promise<TappedStreams> {
    const { client, collector, cluster } = stage;
    const captures = {
      client: await Capture.start({ enter: client.launch, device: "eth0", filter: "icmp" }),
      collector: await collector.capture(),
      device: await Capture.start({
        enter: (command, args) => cluster.spawnNode(redirected.node, command, args),
        device,
        filter: "icmp",
      }),
    };
    const pings: PingStream[] = [];
    const streams = new TappedStreams(stage, mirrored, redirected, captures, pings);
    try {
      for (const pod of [mirrored, redirected]) pings.push(await PingStream.start(client, pod.address, PAUSE_SECONDS));
      return streams;
    } catch (error) {
      await streams.discard();
      throw error;
    }
  }

  /** Ends the streams and the captures. */
  async stop(interruptions: NodeInterruption[]): Promise<{ mirror: Account; redirect: Account }> {
    for (const ping of this.pings) await ping.stop();
    const atClient = await this.captures.client.stop();
    const atCollector = await this.captures.collector.stop();
    const atDevice = await this.captures.device.stop();
    const books = (pod: Pod, seen: Packet[]): Account => {
      const nodes = [this.stage.client.node, pod.node];
      return account(
        {
          requests: sightings(atClient, pod, REQUEST),
          answers: sightings(atClient, pod, REPLY),
          requestsSeen: sightings(seen, pod, REQUEST),
          answersSeen: sightings(seen, pod, REPLY),
        },
        interruptions.filter(({ node }) => nodes.includes(node)),
      );
    };
    return { mirror: books(this.mirrored, atCollector), redirect: books(this.redirected, atDevice) };
  }

  /** Ends everything without looking at it. Harmless after stop. */
  async discard(): Promise<void> {
    for (const ping of this.pings) await ping.stop().catch(() => undefined);
    for (const capture of Object.values(this.captures)) await capture.discard();
  }
}

function sightings(packets: Packet[], { address }: Pod, icmpType: number): Sightings {
  return packets
    .filter(
      ({ inner }) =>
        inner.icmpType === icmpType && (icmpType === REQUEST ? inner.destination : inner.source) === address,
    )
    .map(({ inner, time }) => ({ sequence: inner.sequence ?? -1, time }));
}
