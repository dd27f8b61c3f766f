import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalAddress } from "../../../capabilities/selection";

describe("canonicalAddress", () => {
  for (const [text, expected] of [
    ["10.0.10.2", "10.0.10.2"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8::0:1", "2001:db8::1"],
    ["::", "::"],
    ["::1", "::1"],
    ["fe80:0:0:1:0:0:0:1", "fe80:0:0:1::1"],
    ["1:0:0:2:0:0:3:4", "1::2:0:0:3:4"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::FFFF:0a00:0001", "10.0.0.1"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
    ["not an address", undefined],
    ["10.0.0.0/8", undefined],
    ["10.0.0.01", undefined],
    ["fe80::1%eth0", undefined],
    ["", undefined],
  ] as const) {
    it(`makes ${JSON.stringify(text)} ${expected ?? "nothing"}`, () => assert.equal(canonicalAddress(text), expected));
  }

  it("gives every spelling of an IPv6 address the text that the URL standard gives it", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = canonicalAddress(text);
        const standard = new URL(`http://[${text}]`).hostname.slice(1, -1);
        if (standard.startsWith("::ffff:") && standard.split(":").length === 5) return;
        assert.equal(canonical, standard);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is its own canonical text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const once = canonicalAddress(text);
        if (once !== undefined) assert.equal(canonicalAddress(once), once);
      }),
    );
  });
});
