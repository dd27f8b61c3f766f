/** Generates capabilities/api/generated/*.ts from crds/*.yaml. Called by `npm run generate`, which every other script runs first. */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { compile, type JSONSchema } from "json-schema-to-typescript";
import { parse } from "yaml";

const root = path.join(import.meta.dirname, "../..");
const outDir = path.join(root, "capabilities/api/generated");

interface Crd {
  spec: { names: { kind: string }; versions: { schema: { openAPIV3Schema: JSONSchema } }[] };
}

await mkdir(outDir, { recursive: true });
for (const file of await readdir(path.join(root, "crds"))) {
  const crd = parse(await readFile(path.join(root, "crds", file), "utf8"), { maxAliasCount: -1 }) as Crd;
  const kind = crd.spec.names.kind;
  const schema = structuredClone(crd.spec.versions[0]!.schema.openAPIV3Schema);
  schema.properties!["metadata"] = { tsType: 'import("../metadata").ObjectMeta' };
  schema.required = [...((schema.required as string[] | undefined) ?? []), "metadata"];
  close(schema);
  const source = await compile(schema, kind, {
    additionalProperties: false,
    bannerComment: `/** Generated from crds/${file} by hack/codegen/types.ts. Do not edit. */`,
    ignoreMinAndMaxItems: true,
  });
  await writeFile(path.join(outDir, `${kind.toLowerCase()}.ts`), source);
}

/** Kubernetes prunes unknown fields, so no generated type has an index signature. JSON Schema's own keywords only. */
function close(schema: JSONSchema): void {
  delete schema.title;
  for (const key of Object.keys(schema)) if (key.startsWith("x-kubernetes-")) Reflect.deleteProperty(schema, key);
  for (const child of Object.values(schema.properties ?? {})) close(child);
  if (schema.items && !Array.isArray(schema.items)) close(schema.items);
}
