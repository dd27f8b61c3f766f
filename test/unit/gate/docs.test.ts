import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { REASONS } from "@ovs-traffic-control/api";

const root = path.join(import.meta.dirname, "../../..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

/** All pages of the project, from the root and from the folders that have any. */
const pages = [
  ...readdirSync(root),
  ...["docs", "charts", "packages", ".github"]
    .filter((folder) => existsSync(path.join(root, folder)))
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`),
    ),
].filter((file) => file.endsWith(".md") && !file.includes("node_modules"));

/** GitHub's anchors of a page's headings. */
function anchors(page: string): string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe("documentation", () => {
  it("has pages to check", () => assert.ok(pages.includes("README.md") && pages.length > 10));

  it("names every npm script in the README", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const readme = read("README.md");
    const named = (script: string): boolean =>
      new RegExp(`npm (run )?${script.replace(":", "\\:")}(?![\\w:-])`).test(readme);
    assert.deepEqual(
      Object.keys(scripts).filter((script) => !named(script)),
      [],
    );
  });

  it("names no npm script that does not exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const unknown = pages.flatMap((page) =>
      [...read(page).matchAll(/npm run ([\w:-]+)/g)]
        .filter(([, script]) => !(script! in scripts))
        .map(([command]) => `${page}: ${command}`),
    );
    assert.deepEqual(unknown, []);
  });

  it("explains every reason that a status or an Event may have", () => {
    const page = read("docs/guide/status.md");
    const reasons = Object.values(REASONS);
    assert.deepEqual(
      reasons.filter((reason) => !new RegExp(`^\\| (\\*\\*)?\`${reason}\``, "m").test(page)),
      [],
    );
  });

  it("names in the threat model a test that exists for each claim that holds", () => {
    const rows = read("docs/threat-model.md")
      .split("\n")
      .filter((line) => /^\|.*holds/.test(line) && !line.startsWith("| attempt"));
    assert.ok(rows.length > 10);
    const without = rows.filter((row) => {
      const tests = [...row.matchAll(/test\/[\w/.-]+\.test\.ts/g)].map(([file]) => file);
      return tests.length === 0 || !tests.every((file) => existsSync(path.join(root, file)));
    });
    assert.deepEqual(without, []);
  });

  for (const page of pages)
    it(`has no dead link in ${page}`, () => {
      const links = [...read(page).matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)].map(([, a, b]) => (a ?? b)!);
      const dead = links.filter((link) => {
        if (/^(https?|mailto):/.test(link)) return false;
        const [file, anchor] = link.split("#");
        const target = file === "" ? page : path.join(path.dirname(page), decodeURIComponent(file!));
        if (!existsSync(path.join(root, target))) return true;
        if (anchor === undefined || statSync(path.join(root, target)).isDirectory()) return false;
        return target.endsWith(".md") && !anchors(read(target)).includes(anchor);
      });
      assert.deepEqual(dead, []);
    });
});
