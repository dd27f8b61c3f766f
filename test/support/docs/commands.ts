/**
 * The commands in README.md, the chart's README and docs/, as test/e2e/docs.test.ts runs them, and those that it does not run,
 * with the reason.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const ROOT = path.join(import.meta.dirname, "../../..");

/** Pattern of commands → why they are not run as they stand. */
export const NOT_RUN: readonly [RegExp, string][] = [
  [
    /(create|label|delete) namespace ovs-traffic-control|delete crd|^helm (un)?install/,
    "installing and uninstalling: hack/deploy, uninstall.test.ts",
  ],
  [/delete trafficcontrols --all/, "would take away what other tests have made"],
  [/trafficcontrol (capture|support-bundle)/, "with traffic, an image or a file of its own: kubectl-plugin.test.ts"],
  [/trafficcontrol uninstall/, "refuses to run while the operator is there: uninstall-plugin.test.ts"],
  [/redirect-web-app/, "needs a device on the nodes: redirect.test.ts"],
  [/web-wire/, "redirect.test.ts runs it with the names of its own ports"],
  [/finalizers":null/, "the last resort where nothing else is left; it leaves taps behind"],
  [/delete secret/, "admission-pods.test.ts changes certificates"],
  [/ grep changed/, "finds something only after somebody has changed flows: test/lab has the repairs"],
  [/configmap antrea-config/, "needs Antrea's configuration: antrea-crd.test.ts makes one"],
  [/ top pods/, "needs a metrics server, which the embedded cluster has not"],
  [/^npm (test|run (demo|test:\S+))\b/, "starts tests or the demo itself; .github/workflows run them"],
  [
    /^npm run (cluster|deploy)\b/,
    "hack/cluster and hack/deploy, by which these tests have their cluster and the operator in it",
  ],
  [/^ovs-(vsctl|ofctl) /, "on a node, with names of its own: not run"],
  [
    /^npm run (image|plugin)|^docker |^sudo install/,
    "hack/image and hack/plugin, which these tests install from; no Docker here",
  ],
  [/^(tcpdump|suricata|ip link (add|set) tap0)\b/, "at the analyser, whose place the tests' collector takes"],
];

export interface PageCommand {
  page: string;
  /** On one line; a loop of the shell is one command. */
  command: string;
}

/** Commands of all pages, each once, in the order of the pages; a comment behind a command is left out. */
export function pageCommands(): PageCommand[] {
  const pages = readdirSync(path.join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file}`);
  const all = new Map<string, PageCommand>();
  for (const page of ["README.md", "charts/ovs-traffic-control/README.md", ...pages.sort()])
    for (const command of shellBlocks(page).flatMap(commandsOf))
      if (!all.has(command)) all.set(command, { page, command });
  return [...all.values()];
}

/** What a page has between ```sh and ```. @param page from the root of the repository */
export function shellBlocks(page: string): string[] {
  const text = readFileSync(path.join(ROOT, page), "utf8");
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
}

function commandsOf(block: string): string[] {
  const joined = block
    .replace(/\\\n\s*/g, "")
    .replace(/^for [^]*?^done$/gm, (loop) => loop.replace(/; do\n\s*/, "; do ").replace(/\n\s*/g, "; "));
  return joined
    .split("\n")
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Why the command is not run; undefined if it is. */
export function whyNotRun(command: string): string | undefined {
  return NOT_RUN.find(([pattern]) => pattern.test(command))?.[1];
}
