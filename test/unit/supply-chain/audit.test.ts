/** What is made of npm's audit report. The registry itself is asked in the nightly workflow. */
import assert from "node:assert/strict";
import { readAudit } from "../../../hack/supply-chain";

const metadata = { dependencies: { prod: 216 } };

function finding(severity: string): string {
  const advisory = { title: "Reads too far", url: "https://example.invalid/GHSA-1" };
  const vulnerabilities = { left: { severity, range: "<2", via: [advisory, "right"] } };
  return JSON.stringify({ auditReportVersion: 2, vulnerabilities, metadata });
}

describe("the audit", () => {
  it("is clean when there is nothing, or only something of low severity", () => {
    const nothing = JSON.stringify({ auditReportVersion: 2, vulnerabilities: {}, metadata });
    assert.deepEqual(readAudit(nothing), { kind: "clean", looked: 216 });
    assert.deepEqual(readAudit(finding("low")), { kind: "clean", looked: 216 });
  });

  for (const severity of ["moderate", "high", "critical"])
    it(`names what is of ${severity} severity`, () => {
      const line = `left <2: ${severity}: Reads too far https://example.invalid/GHSA-1; by right`;
      assert.deepEqual(readAudit(finding(severity)), { kind: "vulnerable", findings: [line] });
    });

  it("does not take a registry that says nothing for a clean one", () => {
    const refusal = JSON.stringify({ message: "405 Method Not Allowed", method: "POST" });
    assert.deepEqual(readAudit(refusal), { kind: "no answer", why: "405 Method Not Allowed" });
    assert.equal(readAudit("<html>").kind, "no answer");
    const empty = { auditReportVersion: 2, vulnerabilities: {}, metadata: { dependencies: { prod: 0 } } };
    assert.equal(readAudit(JSON.stringify(empty)).kind, "no answer");
  });
});
