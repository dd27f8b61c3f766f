/** The manifests in the documentation, as tests read them: docs/**, and docs/guide/mistakes.md section by section. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";

const ROOT = path.join(import.meta.dirname, "../../..");

export interface Manifest {
  kind?: string;
  metadata?: { name?: string; annotations?: Record<string, string> };
  spec?: Record<string, unknown>;
  status?: { addresses?: { address: string }[] };
}

export interface Section {
  title: string;
  /** What is in the cluster already. */
  existing: Manifest[];
  refused: Manifest;
  /** Refused by the API server itself. */
  unknown: boolean;
  /** The lines that kubectl shows. */
  said: string;
  right: Manifest;
}

interface Block {
  language: string;
  text: string;
}

/** Every complete TrafficControl in docs/, with where it is. */
export function examples(): { place: string; manifest: Manifest }[] {
  const files = readdirSync(path.join(ROOT, "docs"), { recursive: true, encoding: "utf8" });
  return files.sort().flatMap((file) => {
    const text = (): string => readFileSync(path.join(ROOT, "docs", file), "utf8");
    const found = file.endsWith(".yaml") ? [text()] : file.endsWith(".md") ? yamlOf(text()) : [];
    const manifests = found.map((yaml) => parse(yaml) as Manifest);
    const complete = manifests.filter((manifest) => manifest.kind === "TrafficControl" && "apiVersion" in manifest);
    return complete.map((manifest, index) => ({ place: `${file}, ${index + 1}`, manifest }));
  });
}

function yamlOf(page: string): string[] {
  return blocks(page).flatMap(({ language, text }) => (language === "yaml" ? [text] : []));
}

/** The sections of docs/guide/mistakes.md that show a manifest; fragments are completed by the page's own TrafficControl. */
export function mistakeSections(): Section[] {
  const page = readFileSync(path.join(ROOT, "docs/guide/mistakes.md"), "utf8");
  const [intro = "", ...parts] = page.split(/^(?=#{2,3} )/m);
  const base = parse(yamlOf(intro)[0] ?? "") as Manifest;
  const complete = (text: string, whole = false): Manifest => {
    const { spec, ...rest } = parse(text) as Manifest;
    return { ...base, ...rest, spec: whole ? spec : { ...base.spec, ...spec } };
  };
  return parts.flatMap((part) => {
    const found = blocks(part);
    const of = (language: RegExp): string[] =>
      found.filter((each) => language.test(each.language)).map(({ text }) => text);
    const [refused] = found.filter(({ language }) => /^yaml (refused|unknown)/.test(language));
    if (refused === undefined) return [];
    return [
      {
        title: /^#+ (.*)$/m.exec(part)?.[1] ?? "",
        existing: of(/^yaml existing$/).map((text) => complete(text, /^kind: Node$/m.test(text))),
        refused: complete(refused.text, refused.language.endsWith("whole")),
        unknown: refused.language.includes("unknown"),
        said: of(/^$/)[0]?.trimEnd() ?? "",
        right: complete(of(/^yaml$/)[0] ?? ""),
      },
    ];
  });
}

function blocks(page: string): Block[] {
  return [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, language = "", text = ""]) => ({ language, text }));
}
