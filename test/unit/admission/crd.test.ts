import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { MESSAGES, mistakes, type MistakeKind } from "../../../capabilities/admission/rules";
import { INVALID, manifest } from "./cases";

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  "x-kubernetes-validations"?: { rule: string; message: string; reason: string; fieldPath?: string }[];
}
interface Said {
  path: string;
  kind: MistakeKind;
  message: string;
}

const KIND_OF_REASON: Record<string, MistakeKind> = {
  FieldValueInvalid: "Invalid",
  FieldValueForbidden: "Forbidden",
  FieldValueRequired: "Required",
};

function spoken(schema: Schema, at: string): Said[] {
  const own = (schema["x-kubernetes-validations"] ?? []).map(({ message, reason, fieldPath = "" }) => ({
    ...{ path: at + fieldPath, kind: KIND_OF_REASON[reason]!, message },
  }));
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => spoken(child, `${at}.${name}`));
  const each = schema.items ? spoken(schema.items, `${at}[]`) : [];
  const any = schema.additionalProperties ? spoken(schema.additionalProperties, `${at}[]`) : [];
  return [...own, ...below, ...each, ...any];
}

const crd = parse(readFileSync(path.join(import.meta.dirname, "../../../crds/trafficcontrols.yaml"), "utf8"), {
  maxAliasCount: -1,
}) as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
const inCrd = spoken(crd.spec.versions[0]!.schema.openAPIV3Schema.properties!["spec"]!, "spec");
const messages: readonly string[] = Object.values(MESSAGES);
/** What the rules have said in all cases, of the things that the CRD says in CEL. */
const inRules: Said[] = INVALID.flatMap((given) => mistakes(manifest(given)))
  .filter(({ message }) => messages.includes(message))
  .map(({ path: at, kind, message }) => ({ path: at.replace(/\[[^\]]*\]/g, "[]"), kind, message }));

const texts = (said: Said[]): string[] =>
  [...new Set(said.map(({ path: at, kind, message }) => `${at}: ${kind}: ${message}`))].sort();

describe("the CRD and the rules", () => {
  it("say the same messages, word for word", () => {
    assert.deepEqual([...new Set(inCrd.map(({ message }) => message))].sort(), [...messages].sort());
  });

  it("say each of them at the same path and as the same kind of mistake", () => {
    const missing = texts(inRules).filter((text) => !texts(inCrd).includes(text));
    assert.deepEqual(missing, []);
  });

  it("are compared on every place of the CRD that has a rule of its own", () => {
    const kinds = (said: Said[]): string[] =>
      texts(said.map((one) => ({ ...one, path: one.path.replace(/(pod|namespace)Selector/, "*Selector") })));
    assert.deepEqual(
      kinds(inCrd).filter((text) => !kinds(inRules).includes(text)),
      [],
    );
  });
});
