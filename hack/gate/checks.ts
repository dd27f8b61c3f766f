/** The checks of the lint suite, and how each tool's report is read. Pure apart from the table's paths; used by lint.ts. */
import type { Outcome } from "./child";

export interface Verdict {
  /** What the tool says it has looked at, for the reader; a check that looked at nothing fails. */
  looked: string;
  /** One line per problem. */
  problems: string[];
}

export interface Check {
  name: string;
  /** Arguments of node. */
  args: string[];
  /** Exit codes with which the tool says "I have looked". Another one is a crash. */
  exits: Outcome[];
  /** Reads the report. Throws if it is not one. */
  read: (stdout: string, stderr: string, root: string) => Verdict;
}

const tool = (file: string): string => `node_modules/${file}`;

export const checks: Check[] = [
  {
    name: "eslint",
    args: [tool("eslint/bin/eslint.js"), ".", "--format", "json"],
    exits: [0, 1],
    read: readEslint,
  },
  {
    name: "types (tsc)",
    args: [tool("typescript/bin/tsc"), "--noEmit", "--listFiles", "--pretty", "false"],
    exits: [0, 1, 2],
    read: readTsc,
  },
  {
    name: "format (prettier)",
    args: [tool("prettier/bin/prettier.cjs"), "--check", "--no-color", "."],
    exits: [0, 1],
    read: readPrettier,
  },
  {
    name: "rooms (dependency-cruiser)",
    args: [
      tool("dependency-cruiser/bin/dependency-cruise.mjs"),
      ...["--config", ".dependency-cruiser.cjs", "--output-type", "json"],
      ...["pepr.ts", "capabilities", "packages", "hack", "test"],
    ],
    // Its exit code is the number of violations when it writes for people, and 0 when it writes JSON.
    exits: [0],
    read: readCruiser,
  },
  {
    name: "unused code (knip)",
    args: [tool("knip/bin/knip.js"), "--no-progress", "--reporter", "json"],
    exits: [0, 1],
    read: readKnip,
  },
  {
    name: "API reference (docs/reference)",
    args: ["--import", "tsx", "hack/codegen/reference.ts", "--check"],
    exits: [0, 1],
    read: readReference,
  },
];

interface EslintFile {
  filePath: string;
  messages: { line?: number; column?: number; ruleId: string | null; message: string }[];
}

/** Warnings are problems too: one that may stay should not be a warning. */
export function readEslint(stdout: string, _stderr: string, root: string): Verdict {
  const files = JSON.parse(stdout) as EslintFile[];
  const relative = (file: string): string => (file.startsWith(`${root}/`) ? file.slice(root.length + 1) : file);
  return {
    looked: count(files.length, "file"),
    problems: files.flatMap(({ filePath, messages }) =>
      messages.map(
        ({ line, column, ruleId, message }) =>
          `${relative(filePath)}:${line ?? 0}:${column ?? 0} ${message} (${ruleId ?? "eslint"})`,
      ),
    ),
  };
}

/** tsc has no report for machines: the list of files shows that it has looked, everything else is a problem. */
export function readTsc(stdout: string, _stderr: string, root: string): Verdict {
  const lines = stdout.split("\n").filter((line) => line.trim() !== "");
  const isFile = (line: string): boolean => /^\/\S.*\.[cm]?[jt]sx?$|^\/\S.*\.json$/.test(line);
  const own = lines.filter((line) => isFile(line) && line.startsWith(`${root}/`) && !line.includes("/node_modules/"));
  return { looked: count(own.length, "file"), problems: lines.filter((line) => !isFile(line)) };
}

export function readPrettier(stdout: string, stderr: string): Verdict {
  const problems = `${stdout}\n${stderr}`.split("\n").flatMap((line) => {
    const [, kind, text] = /^\[(warn|error)\] (.*)$/.exec(line) ?? [];
    return kind === undefined || text === undefined || text.startsWith("Code style issues") ? [] : [text];
  });
  if (problems.length === 0 && !stdout.includes("All matched files use Prettier code style!"))
    throw new Error("it does not say that it has looked at anything");
  return { looked: "all files", problems };
}

interface CruiserReport {
  summary: {
    totalCruised: number;
    violations: { rule: { name: string; severity: string }; from: string; to: string }[];
  };
}

export function readCruiser(stdout: string): Verdict {
  const { totalCruised, violations } = (JSON.parse(stdout) as CruiserReport).summary;
  return {
    looked: count(totalCruised, "module"),
    problems: violations.map(({ rule, from, to }) => `${from} imports ${to}, which the rule ${rule.name} forbids`),
  };
}

type KnipFile = { file: string } & Record<string, string | { name: string; line?: number }[] | undefined>;

export function readKnip(stdout: string): Verdict {
  const report = JSON.parse(stdout) as { files: string[]; issues: KnipFile[] };
  const named = report.issues.flatMap((each) =>
    Object.entries(each).flatMap(([kind, found]) =>
      Array.isArray(found)
        ? found
            .flat()
            .map(({ name, line }) => `${each.file}${line ? `:${line}` : ""} ${name}: unused or unlisted (${kind})`)
        : [],
    ),
  );
  return { looked: "the project", problems: [...report.files.map((file) => `${file}: nothing imports it`), ...named] };
}

export function readReference(stdout: string, stderr: string): Verdict {
  const looked = /^Looked at (.+)\.$/m.exec(stdout)?.[1];
  if (looked === undefined) throw new Error("it does not say that it has looked at anything");
  return { looked, problems: stderr.split("\n").filter((line) => line !== "") };
}

function count(number: number, what: string): string {
  if (number === 0) throw new Error(`it has looked at no ${what} at all`);
  return `${number} ${what}s`;
}
