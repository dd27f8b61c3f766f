import assert from "node:assert/strict";
import { type Crd, type Schema, page } from "../../../hack/codegen/markdown";

const port: Schema = {
  type: "object",
  required: ["remoteIP"],
  properties: {
    remoteIP: {
      type: "string",
      maxLength: 64,
      description: "The far end.",
      "x-kubernetes-validations": [{ message: "must be an address | one", reason: "FieldValueInvalid" }],
    },
  },
};

const crd: Crd = {
  spec: {
    group: "example.org",
    scope: "Cluster",
    names: { kind: "Tap", shortNames: ["tp"] },
    versions: [
      {
        name: "v1",
        additionalPrinterColumns: [
          { name: "Ready", description: "Whether it works" },
          { name: "Reason", priority: 1 },
        ],
        schema: {
          openAPIV3Schema: {
            type: "object",
            description: "Copies packets.",
            properties: {
              spec: {
                type: "object",
                required: ["target"],
                properties: { target: port, back: port, mode: { type: "string", enum: ["A", "B"] } },
                "x-kubernetes-validations": [
                  { message: "not with mode A", reason: "FieldValueForbidden", fieldPath: ".back" },
                ],
              },
              status: {
                type: "object",
                properties: { notes: { type: "array", maxItems: 3, items: { type: "string" } } },
              },
            },
          },
        },
      },
    ],
  },
};

describe("the API reference", () => {
  it("shows fields, types, requirements and messages, and equal objects once", () => {
    assert.equal(
      page(crd, "crds/taps.yaml"),
      `# Tap

<!-- Generated from crds/taps.yaml by \`npm run generate\`. Do not edit. -->

\`apiVersion: example.org/v1\`, cluster-scoped, short name \`tp\`. Copies packets.

\`kubectl get\` shows Ready (whether it works); \`-o wide\` adds Reason.

## spec

| Field | Type | Meaning |
| --- | --- | --- |
| \`target\` **required** | [object](#spectarget) |  |
| \`back\` | [object](#spectarget) |  |
| \`mode\` | \`A\`, \`B\` |  |

Refused with:

- \`spec.back\`: Forbidden: not with mode A

## spec.target

| Field | Type | Meaning | Refused with |
| --- | --- | --- | --- |
| \`remoteIP\` **required** | string, at most 64 characters | The far end. | Invalid value: must be an address \\| one |

## status

| Field | Type | Meaning |
| --- | --- | --- |
| \`notes\` | list of up to 3: string |  |
`,
    );
  });
});
