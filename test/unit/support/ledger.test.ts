import assert from "node:assert/strict";
import { account, type Sightings, type Stream } from "../../support/e2e/fire/ledger";

const times = (sequences: number[], pause = 0.02): Sightings =>
  sequences.map((sequence) => ({ sequence, time: 1_000 + sequence * pause }));
const all = Array.from({ length: 10 }, (_, sequence) => sequence);
const without = (...missing: number[]): number[] => all.filter((sequence) => !missing.includes(sequence));
const stream = (changes: Partial<Stream> = {}): Stream => ({
  ...{ requests: times(all), answers: times(all), requestsSeen: times(all), answersSeen: times(all) },
  ...changes,
});

describe("the books of a stream", () => {
  it("are in order when each packet was answered and seen exactly once", () => {
    assert.deepEqual(account(stream(), []), { sent: 10, problems: [], interrupted: [] });
  });

  it("name what was not answered, not seen, or there twice, with its time", () => {
    const { problems } = account(
      stream({ answers: times(without(3)), answersSeen: times(without(3, 5)), requestsSeen: times([...all, 7]) }),
      [],
    );
    assert.deepEqual(problems, [
      "1 not answered: 3 after 0.060 s",
      "1 answer not seen: 5 after 0.100 s",
      "1 twice among requestsSeen: 7 after 0.140 s",
    ]);
  });

  it("expect nothing of what was sent in an interruption, but count it, and forgive nothing beside it", () => {
    const interruption = { what: "vswitchd", from: 1_000.05, to: 1_000.11, mayPassUnseen: true };
    const disturbed = stream({
      answers: times(without(3, 8)),
      answersSeen: times(without(3, 8)),
      requestsSeen: times(without(3, 4)),
    });
    assert.deepEqual(account(disturbed, [interruption]), {
      sent: 10,
      problems: ["1 not answered: 8 after 0.160 s"],
      interrupted: [{ what: "vswitchd", seconds: interruption.to - interruption.from, unanswered: 1, unseen: 1 }],
    });
  });

  it("forgive a loss, but no packet that has passed unseen, where taps have to hold", () => {
    const interruption = { what: "ovsdb-server", from: 1_000, to: 1_001, mayPassUnseen: false };
    const disturbed = stream({
      answers: times(without(3)),
      requestsSeen: times(without(3, 4)),
      answersSeen: times(without(3)),
    });
    const { problems, interrupted } = account(disturbed, [interruption]);
    assert.deepEqual(problems, ["1 request not seen: 4 after 0.080 s"]);
    assert.deepEqual(interrupted, [{ what: "ovsdb-server", seconds: 1, unanswered: 1, unseen: 1 }]);
  });

  it("never forgive a packet that is there twice", () => {
    const twice = stream({ answersSeen: times([...all, 4]) });
    assert.equal(account(twice, [{ what: "vswitchd", mayPassUnseen: true, from: 0, to: 2_000 }]).problems.length, 1);
  });
});
