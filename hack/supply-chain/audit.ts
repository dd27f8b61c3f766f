/**
 * What `npm audit` has said about the packages that are bundled into the image. Pure; called by main.ts in the nightly workflow.
 */

/** Levels of npm, from the one on that the nightly workflow fails at. */
const FAILING = ["moderate", "high", "critical"];

export type Verdict =
  | { kind: "clean"; looked: number }
  | { kind: "vulnerable"; findings: string[] }
  | { kind: "no answer"; why: string };

interface Report {
  message?: string;
  auditReportVersion?: number;
  vulnerabilities?: Record<
    string,
    { severity: string; range: string; via: (string | { title: string; url: string })[] }
  >;
  metadata?: { dependencies: { prod: number } };
}

/** @param stdout of `npm audit --json` */
export function readAudit(stdout: string): Verdict {
  let report: Report;
  try {
    report = JSON.parse(stdout) as Report;
  } catch {
    return { kind: "no answer", why: `npm audit has not written JSON: ${stdout.slice(0, 200)}` };
  }
  const { vulnerabilities, metadata, message } = report;
  if (vulnerabilities === undefined || metadata === undefined)
    return { kind: "no answer", why: message ?? "npm audit's report has no list of vulnerabilities" };
  const findings = Object.entries(vulnerabilities)
    .filter(([, { severity }]) => FAILING.includes(severity))
    .map(([name, { severity, range, via }]) => {
      const advisories = via.map((each) => (typeof each === "string" ? `by ${each}` : `${each.title} ${each.url}`));
      return `${name} ${range}: ${severity}: ${advisories.join("; ")}`;
    });
  if (findings.length > 0) return { kind: "vulnerable", findings };
  if (metadata.dependencies.prod === 0) return { kind: "no answer", why: "npm audit has looked at no package" };
  return { kind: "clean", looked: metadata.dependencies.prod };
}
