/**
 * Keeps the books of a stream of echo requests: each packet that was sent has to be answered, and to be copied or to pass
 * the inspection device, exactly once, but for the intervals that are given. Pure; used by streams.ts.
 */

/** What the wire has shown of one direction: sequence number and time in seconds since the epoch, in order of time. */
export type Sightings = { sequence: number; time: number }[];

export interface Stream {
  /** Requests on their way out, at the sender. */
  requests: Sightings;
  /** Answers that have come back to the sender. */
  answers: Sightings;
  /** Copies of requests at the collector; requests at the inspection device. */
  requestsSeen: Sightings;
  /** The same for answers. */
  answersSeen: Sightings;
}

/** From and to when packets that are sent then may be lost, in seconds since the epoch. */
export interface Interruption {
  what: string;
  /** Whether they may also arrive without having been seen; otherwise what arrives has to have been. */
  mayPassUnseen: boolean;
  from: number;
  to: number;
}

export interface Account {
  sent: number;
  /** One line per packet, or for each kind of it. */
  problems: string[];
  /** For each interruption: packets without an answer, and such that were answered without having been seen. */
  interrupted: { what: string; seconds: number; unanswered: number; unseen: number }[];
}

/** Shown of each kind of problem; the rest is counted. */
const SHOWN = 5;

export function account(stream: Stream, interruptions: Interruption[]): Account {
  const [answers, requestsSeen, answersSeen] = [stream.answers, stream.requestsSeen, stream.answersSeen].map(times);
  const interrupted = interruptions.map(({ what, from, to }) => ({
    what,
    seconds: to - from,
    unanswered: 0,
    unseen: 0,
  }));
  const kinds = new Map<string, string[]>();
  const begin = stream.requests[0]?.time ?? 0;
  for (const { sequence, time } of stream.requests) {
    const isAnswered = answers!.has(sequence);
    const isSeen = requestsSeen!.has(sequence) && (!isAnswered || answersSeen!.has(sequence));
    const during = interruptions.findIndex(({ from, to }) => time >= from && time <= to);
    if (during !== -1) {
      if (!isAnswered) interrupted[during]!.unanswered += 1;
      else if (!isSeen) interrupted[during]!.unseen += 1;
      if (!isAnswered || isSeen || interruptions[during]!.mayPassUnseen) continue;
    }
    const note = (kind: string): void =>
      void kinds.set(kind, [...(kinds.get(kind) ?? []), `${sequence} after ${(time - begin).toFixed(3)} s`]);
    if (!isAnswered) note("not answered");
    if (!requestsSeen!.has(sequence)) note("request not seen");
    if (isAnswered && !answersSeen!.has(sequence)) note("answer not seen");
  }
  for (const [kind, sightings] of Object.entries(stream))
    for (const { sequence, time } of repeated(sightings as Sightings))
      kinds.set(`twice among ${kind}`, [
        ...(kinds.get(`twice among ${kind}`) ?? []),
        `${sequence} after ${(time - begin).toFixed(3)} s`,
      ]);
  const problems = [...kinds].map(
    ([kind, all]) => `${all.length} ${kind}: ${all.slice(0, SHOWN).join(", ")}${all.length > SHOWN ? "…" : ""}`,
  );
  return { sent: stream.requests.length, problems, interrupted };
}

function times(sightings: Sightings): Map<number, number> {
  return new Map(sightings.map(({ sequence, time }) => [sequence, time]));
}

function repeated(sightings: Sightings): Sightings {
  const before = new Set<number>();
  return sightings.filter(({ sequence }) => {
    if (before.has(sequence)) return true;
    before.add(sequence);
    return false;
  });
}
