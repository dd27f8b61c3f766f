/** README of the chart: what it needs, and every value with the comment that stands above it. Pure; called by reference.ts. */
import { isMap, isScalar, parseDocument, type YAMLMap } from "yaml";

interface Row {
  path: string;
  /** As JSON; undefined for a value that only holds others. */
  standard?: string;
  meaning: string;
}

/**
 * @param chart content of Chart.yaml
 * @param values content of values.yaml
 */
export function chartPage(chart: string, values: string): string {
  const about = parseDocument(chart).contents as YAMLMap;
  const text = (name: string): string => String(about.get(name));
  const reason = about.items.find(({ key }) => nameOf(key) === "kubeVersion");
  const rows = rowsOf(parseDocument(values).contents as YAMLMap, "");
  return [
    `# ${text("name")}`,
    "<!-- Generated from Chart.yaml and values.yaml by `npm run generate`. Do not edit. -->",
    `${text("description")}. Version ${text("version")}.`,
    "```sh\n" +
      "kubectl create namespace ovs-traffic-control\n" +
      "kubectl label namespace ovs-traffic-control pod-security.kubernetes.io/enforce=restricted\n" +
      "helm install ovs-traffic-control charts/ovs-traffic-control --namespace ovs-traffic-control --wait\n" +
      "```",
    `It needs Kubernetes \`${text("kubeVersion")}\`:`,
    "```\n" + commentOf(reason?.key).join("\n") + "\n```",
    "The [README of the project](../../README.md) says where the image comes from, how to begin and how to uninstall; " +
      "[With Argo CD](../../docs/guide/argo-cd.md) what to set there; the [threat model](../../docs/threat-model.md) what the " +
      "policies are for.",
    "## Values",
    "`values.schema.json` refuses any other value, and those of the wrong kind.",
    ["| Value | Default | Meaning |", "|---|---|---|", ...rows.map(row)].join("\n"),
  ]
    .join("\n\n")
    .concat("\n");
}

function rowsOf(map: YAMLMap, above: string): Row[] {
  return map.items.flatMap((pair, index) => {
    const { key, value } = pair;
    const path = `${above}${nameOf(key)}`;
    // What stands above the first of several is kept with all of them.
    const meaning = (index === 0 && above !== "" ? commentOf(map) : commentOf(key))
      .map((line) => line.trim())
      .join(" ");
    if (!isMap(value) || value.flow === true || value.items.length === 0 || nameOf(key) === "resources")
      return [{ path, standard: JSON.stringify(jsonOf(value)), meaning }];
    const inner = rowsOf(value, `${path}.`);
    return meaning === "" ? inner : [{ path, meaning }, ...inner];
  });
}

function jsonOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "toJSON" in value
    ? (value as { toJSON(): unknown }).toJSON()
    : value;
}

function nameOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

/** The comment before a node, line by line. */
function commentOf(node: unknown): string[] {
  const comment = (node as { commentBefore?: string | null } | undefined)?.commentBefore ?? "";
  return comment === "" ? [] : comment.split("\n").map((line) => line.replace(/^ /, ""));
}

function row({ path, standard, meaning }: Row): string {
  const name = standard === undefined ? `**\`${path}\`**` : `\`${path}\``;
  return `| ${name} | ${standard === undefined ? "" : `\`${standard}\``} | ${meaning.replaceAll("|", "\\|")} |`;
}
