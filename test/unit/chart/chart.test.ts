/** What the chart must agree on with the rest of the repository; what helm makes of it is in test/e2e/chart.test.ts. */
import assert from "node:assert/strict";
import { lstatSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { DOMAIN, LABELS } from "@ovs-traffic-control/api";
import { readEnvironment } from "../../../capabilities/engine";
import { MATRIX } from "../../support/chart-matrix";
import { chartFile, chartYaml, objects } from "./templates";

const root = path.join(import.meta.dirname, "../../..");

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
}
interface Webhook {
  name: string;
  failurePolicy: string;
  timeoutSeconds: number;
  clientConfig: { caBundle?: string; service: { name: string; namespace: string; path: string } };
}
interface WebhookConfiguration {
  kind: string;
  webhooks: Webhook[];
}

describe("the chart", () => {
  it("has the version of package.json, for itself and for the image", () => {
    const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { version: string };
    const chart = chartYaml("Chart.yaml") as { version: string; appVersion: string };
    assert.deepEqual([chart.version, chart.appVersion], [version, version]);
  });

  it("has every CRD of crds/, and no copy of its own", () => {
    const names = readdirSync(path.join(root, "crds"));
    assert.ok(names.length >= 2);
    for (const name of names)
      assert.equal(chartFile(`files/crds/${name}`), readFileSync(path.join(root, "crds", name), "utf8"));
    assert.ok(lstatSync(path.join(root, "charts/ovs-traffic-control/files/crds")).isSymbolicLink());
  });

  it("has a schema that knows each value of values.yaml and refuses others", () => {
    const schema = JSON.parse(chartFile("values.schema.json")) as Schema & { definitions: Record<string, Schema> };
    const resolve = (found: Schema): Schema => schema.definitions[found.$ref?.split("/").pop() ?? ""] ?? found;
    const check = (value: unknown, found: Schema, at: string): void => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return;
      const { properties, additionalProperties } = resolve(found);
      if (!properties) return;
      assert.equal(additionalProperties, false, `${at} takes unknown values`);
      for (const [key, child] of Object.entries(value)) {
        assert.ok(properties[key], `values.schema.json does not know ${at}.${key}`);
        check(child, properties[key], `${at}.${key}`);
      }
      const known = Object.keys(properties).filter((key) => key !== "global");
      assert.deepEqual(known.sort(), Object.keys(value).sort(), `values of ${at} without a default in values.yaml`);
    };
    check(chartYaml("values.yaml"), schema, "values");
  });

  it("is given to the API server with each of its values set", () => {
    const set = Object.values(MATRIX).flatMap((values) => values.map((value) => value.replace(/=.*$/, "")));
    const leaves = (value: unknown, at: string): string[] =>
      typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length === 0
        ? [at]
        : Object.entries(value).flatMap(([key, child]) => leaves(child, at === "" ? key : `${at}.${key}`));
    const isSet = (leaf: string): boolean => set.some((name) => name === leaf || /^[.[]/.test(name.replace(leaf, "")));
    assert.deepEqual(
      leaves(chartYaml("values.yaml"), "").filter((leaf) => !isSet(leaf)),
      [],
    );
  });

  it("calls Pepr's objects by the uuid of the module", () => {
    const { pepr } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { pepr: { uuid: string } };
    const names = /define "otc.peprStores" -\}\}\s+\[(.*)\]/
      .exec(chartFile("templates/_helpers.tpl"))?.[1]
      ?.split(", ");
    assert.deepEqual(names, [`pepr-${pepr.uuid}-store`, `pepr-${pepr.uuid}-schedule`]);
  });

  it("marks the operator's Pods, so that no TrafficControl selects them", () => {
    assert.match(chartFile("templates/_helpers.tpl"), new RegExp(`^ +${LABELS.operator}: "true"$`, "m"));
    assert.ok(LABELS.operator.startsWith(DOMAIN));
  });

  it("sets only variables that the controller reads", () => {
    const text = ["controller.yaml", "drain.yaml", "_helpers.tpl"]
      .map((name) => chartFile(`templates/${name}`))
      .join("");
    const names = [...text.matchAll(/- (?:\{ )?name: ([A-Z][A-Z_]+)\b/g)].map(([, name]) => name!);
    assert.ok(names.length >= 8, names.join());
    const asked = new Set<string>();
    const variables = new Proxy<Record<string, string>>(
      { PROGRAMMER_IMAGE: "x" },
      { get: (target, name: string) => (asked.add(name), target[name]) },
    );
    readEnvironment(variables);
    // Read by the logger, when it is imported.
    asked.add("LOG_LEVEL");
    assert.deepEqual(
      names.filter((name) => !asked.has(name)),
      [],
    );
  });
});

describe("the chart's webhooks", () => {
  const [mutating, validating] = objects<WebhookConfiguration>("webhooks.yaml") as [
    WebhookConfiguration,
    WebhookConfiguration,
  ];

  it("are the early one, the mutating one and the validating one, in this order", () => {
    const found = [mutating, validating].flatMap(({ kind, webhooks }) =>
      webhooks.map(({ name, failurePolicy, timeoutSeconds, clientConfig }) =>
        [kind, name, failurePolicy, timeoutSeconds, clientConfig.service.path].join(" "),
      ),
    );
    assert.deepEqual(found, [
      "MutatingWebhookConfiguration early.ovs-traffic-control.dev Ignore 5 /validate/v1alpha2",
      "MutatingWebhookConfiguration mutate.ovs-traffic-control.dev Ignore 5 /mutate/v1alpha2",
      "ValidatingWebhookConfiguration validate.ovs-traffic-control.dev Fail 10 /validate/v1alpha2",
    ]);
  });

  it("say nothing about caBundle, which belongs to the controller: helm upgrade leaves alone what it never set", () => {
    for (const { webhooks } of [mutating, validating])
      for (const { clientConfig } of webhooks) assert.equal("caBundle" in clientConfig, false);
  });

  it("are called for creations and changes only, never for a deletion", () => {
    const template = chartFile("templates/webhooks.yaml");
    assert.deepEqual(
      [...template.matchAll(/operations: (.*)/g)].map(([, operations]) => operations),
      ["[CREATE, UPDATE]"],
    );
    assert.deepEqual(
      [...template.matchAll(/resources: (.*)/g)].map(([, resources]) => resources),
      ["[trafficcontrols]"],
    );
  });
});
