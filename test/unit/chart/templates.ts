/**
 * Reads templates of the chart without helm: those in which expressions stand for a name or the common labels only. Any
 * other expression is an error, so that nothing is overlooked. Used by the tests in this folder.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse, parseAllDocuments } from "yaml";

const CHART = path.join(import.meta.dirname, "../../../charts/ovs-traffic-control");

export const RELEASE_NAMESPACE = "release-namespace";
export const NODES_NAMESPACE = "nodes-namespace";

const EXPRESSIONS: Record<string, string> = {
  ".Release.Namespace": RELEASE_NAMESPACE,
  ".Values.nodesNamespace.name": NODES_NAMESPACE,
  ".Values.antrea.namespace": "kube-system",
  'include "otc.peprStores" .': "[pepr-traffic-control-store, pepr-traffic-control-schedule]",
  'include "otc.labels" . | nindent 4': "",
  'include "otc.webhook" (dict "orElse" "") | nindent 4': "",
  'include "otc.webhook" (dict "orElse" (include "otc.authorChanged" .)) | nindent 4': "",
};
/** Blocks that only add to an object; they are left out. */
const OPTIONAL_BLOCK = /^\{\{- with [^}]*\}\}\n[^]*?^\{\{- end \}\}\n/gm;
/** A template that is there in one mode only: read as if it were. */
const WHOLE_CONDITION = /^\{\{- if [^}]*\}\}\n([^]*?)^\{\{- end \}\}\n?$/m;
const COMMENT_OR_DEFINITION = /^\{\{- (?:\/\*[^]*?\*\/|define [^]*?\{\{- end) ?\}\}\n/gm;

export function chartFile(name: string): string {
  return readFileSync(path.join(CHART, name), "utf8");
}

export function chartYaml(name: string): unknown {
  return parse(chartFile(name));
}

/** The objects of a template. */
export function objects<T>(template: string): T[] {
  const text = chartFile(`templates/${template}`)
    .replaceAll(COMMENT_OR_DEFINITION, "")
    .replaceAll(OPTIONAL_BLOCK, "")
    .replace(WHOLE_CONDITION, "$1")
    .replaceAll(/\{\{-? ?(.*?) ?-?\}\}/g, (whole, expression: string) => {
      const value = EXPRESSIONS[expression];
      if (value === undefined) throw new Error(`templates/${template} has ${whole}, which these tests cannot read.`);
      return value;
    });
  return parseAllDocuments(text).map((document) => document.toJS() as T);
}
