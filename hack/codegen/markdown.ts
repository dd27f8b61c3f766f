/** A page of the API reference from a CRD. Pure; called by reference.ts. */

/** The part of a structural schema that the reference shows. */
export interface Schema {
  type?: string;
  format?: string;
  description?: string;
  required?: string[];
  enum?: (string | number)[];
  default?: unknown;
  maxLength?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  "x-kubernetes-validations"?: { message: string; reason?: string; fieldPath?: string }[];
}

export interface Crd {
  spec: {
    group: string;
    scope: string;
    names: { kind: string; shortNames?: string[] };
    versions: {
      name: string;
      schema: { openAPIV3Schema: Schema };
      additionalPrinterColumns?: { name: string; description?: string; priority?: number }[];
    }[];
  };
}

/** How kubectl introduces a message. */
const kinds: Record<string, string> = {
  FieldValueRequired: "Required value",
  FieldValueForbidden: "Forbidden",
  FieldValueInvalid: "Invalid value",
  FieldValueDuplicate: "Duplicate value",
};

interface Section {
  path: string;
  schema: Schema;
}

export function page(crd: Crd, source: string): string {
  const { group, names, scope, versions } = crd.spec;
  const version = versions[0]!;
  const schema = version.schema.openAPIV3Schema;
  const sections = ["spec", "status"].flatMap((name) => sectionsOf(name, schema.properties?.[name], new Map()));
  return [
    `# ${names.kind}`,
    `<!-- Generated from ${source} by \`npm run generate\`. Do not edit. -->`,
    `\`apiVersion: ${group}/${version.name}\`, ${scope === "Cluster" ? "cluster-scoped" : "namespaced"}` +
      `${names.shortNames ? `, short name \`${names.shortNames.join("`, `")}\`` : ""}. ${sentence(schema.description)}`,
    columns(version.additionalPrinterColumns ?? []),
    ...sections.map((section) => render(section, sections)),
  ]
    .filter((part) => part !== "")
    .join("\n\n")
    .concat("\n");
}

/** Depth-first, an object equal to an earlier one only once: port kinds and selectors come twice. */
function sectionsOf(path: string, schema: Schema | undefined, seen: Map<string, string>): Section[] {
  if (!schema) return [];
  const properties = schema.properties;
  if (!properties) return schema.items ? sectionsOf(`${path}[]`, schema.items, seen) : [];
  const key = identity(schema);
  if (seen.has(key)) return [];
  seen.set(key, path);
  return [
    { path, schema },
    ...Object.entries(properties).flatMap(([name, child]) => sectionsOf(`${path}.${name}`, child, seen)),
  ];
}

function render({ path, schema }: Section, sections: Section[]): string {
  const fields = Object.entries(schema.properties!);
  const last = fields.some(([, child]) => refusals(child) !== "");
  const row = (...cells: string[]): string => `| ${(last ? cells : cells.slice(0, -1)).join(" | ")} |`;
  const rows = fields.map(([name, child]) =>
    row(
      `\`${name}\`${schema.required?.includes(name) ? " **required**" : ""}`,
      typeOf(child, sections),
      cell(child.description),
      cell(refusals(child)),
    ),
  );
  const rules = (schema["x-kubernetes-validations"] ?? []).map(
    ({ message, reason, fieldPath }) => `- \`${path}${fieldPath ?? ""}\`: ${kindOf(reason)}: ${message}`,
  );
  return [
    `## ${path}`,
    sentence(schema.description),
    [row("Field", "Type", "Meaning", "Refused with"), row("---", "---", "---", "---"), ...rows].join("\n"),
    rules.length === 0 ? "" : `Refused with:\n\n${rules.join("\n")}`,
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** What kubectl says about the field itself or the values in it. */
function refusals(schema: Schema): string {
  const own = schema.properties ? [] : (schema["x-kubernetes-validations"] ?? []);
  const inner = [schema.items, schema.additionalProperties].flatMap((child) =>
    child?.properties ? [] : (child?.["x-kubernetes-validations"] ?? []),
  );
  return [...new Set([...own, ...inner].map(({ message, reason }) => `${kindOf(reason)}: ${message}`))].join("<br>");
}

function kindOf(reason: string | undefined): string {
  return kinds[reason ?? ""] ?? "Invalid value";
}

function typeOf(schema: Schema, sections: Section[]): string {
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.properties) {
    const section = sections.find((each) => identity(each.schema) === identity(schema));
    return section ? `[object](#${anchor(section.path)})` : "object";
  }
  if (schema.items)
    return `list of ${schema.maxItems === undefined ? "" : `up to ${schema.maxItems}: `}${typeOf(schema.items, sections)}`;
  if (schema.additionalProperties) return `map of ${typeOf(schema.additionalProperties, sections)}`;
  if (schema.format === "date-time") return "time";
  const length = schema.maxLength === undefined ? "" : `, at most ${schema.maxLength} characters`;
  return `${schema.type ?? "any"}${length}`;
}

/** Two objects with the same fields are one section, whatever is said about the place where they stand. */
function identity(schema: Schema): string {
  return JSON.stringify(schema);
}

function columns(all: { name: string; description?: string; priority?: number }[]): string {
  const names = (priority: number): string =>
    all
      .filter((column) => (column.priority ?? 0) === priority)
      .map(({ name, description }) => (description ? `${name} (${lower(description)})` : name))
      .join(", ");
  const wide = names(1);
  if (all.length === 0) return "";
  return `\`kubectl get\` shows ${names(0)}${wide === "" ? "" : `; \`-o wide\` adds ${wide}`}.`;
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** GitHub's anchor of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^a-z0-9 _-]/g, "")
    .replaceAll(" ", "-");
}

function sentence(text: string | undefined): string {
  return (text ?? "").trim().replaceAll("<", "&lt;");
}

function cell(text: string | undefined): string {
  return (text ?? "").trim().replaceAll("|", "\\|").replaceAll("\n", " ");
}
