/** Alerts and their runbooks, both ways; what the alerts do is tested by promtool (test/e2e/prometheus). */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { chartYaml } from "./templates";

const RUNBOOKS = path.join(import.meta.dirname, "../../../docs/runbooks");

interface Rule {
  alert: string;
  for: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

const { groups } = chartYaml("files/alerts.yaml") as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

describe("the alerts", () => {
  it("have a runbook each, and each runbook has an alert", () => {
    const alerts = rules.map(({ alert }) => `${alert}.md`).sort();
    assert.deepEqual(readdirSync(RUNBOOKS).sort(), alerts);
    assert.ok(alerts.length >= 7);
  });

  for (const { alert, for: duration, labels, annotations } of rules)
    it(`say enough: ${alert}`, () => {
      assert.match(alert, /^OVSTrafficControl[A-Z][A-Za-z]+$/);
      assert.match(duration, /^\d+[mh]$/);
      assert.match(labels.severity, /^(critical|warning|info)$/);
      assert.match(annotations.summary, /^[A-Z][^{}]*\.$/, "the summary is a sentence that is always the same");
      assert.match(annotations.description, /\.$/);
      const page = readFileSync(path.join(RUNBOOKS, `${alert}.md`), "utf8");
      const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading);
      assert.deepEqual(headings, [alert, "Meaning", "Impact", "Diagnosis", "Mitigation"]);
    });
});
