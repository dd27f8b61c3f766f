/** The kubectl commands in README.md and docs/, as test/e2e/docs.test.ts runs them, and those that it does not run, with the reason. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const ROOT = path.join(import.meta.dirname, "../../..");

/** Pattern of commands → why they are not run as they stand. */
export const NOT_RUN: readonly [RegExp, string][] = [
  [
    /(create|label|delete) namespace ovs-traffic-control|delete crd/,
    "installing and uninstalling: hack/deploy, uninstall.test.ts",
  ],
  [/delete trafficcontrols --all/, "would take away what other tests have made"],
  [/trafficcontrol (capture|support-bundle)/, "with traffic, an image or a file of its own: kubectl-plugin.test.ts"],
  [/trafficcontrol uninstall/, "refuses to run while the operator is there: uninstall-plugin.test.ts"],
  [/redirect-web-app/, "needs a device on the nodes: redirect.test.ts"],
  [/finalizers":null/, "the last resort where nothing else is left; it leaves taps behind"],
  [/delete secret/, "admission-pods.test.ts changes certificates"],
  [/ grep changed/, "finds something only after somebody has changed flows: test/lab has the repairs"],
  [/configmap antrea-config/, "needs Antrea's configuration: antrea-crd.test.ts makes one"],
  [/ top pods/, "needs a metrics server, which the embedded cluster has not"],
];

export interface PageCommand {
  page: string;
  command: string;
}

/** Commands of all pages, each once, in the order of the pages; a comment behind a command is left out. */
export function kubectlCommands(): PageCommand[] {
  const pages = readdirSync(path.join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file}`);
  const all = new Map<string, PageCommand>();
  for (const page of ["README.md", ...pages.sort()]) {
    const text = readFileSync(path.join(ROOT, page), "utf8");
    const lines = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = ""]) => block.split("\n"));
    for (const line of lines) {
      const command = line.replace(/\s+#.*$/, "").trim();
      if (command.startsWith("kubectl ") && !all.has(command)) all.set(command, { page, command });
    }
  }
  return [...all.values()];
}

/** Why the command is not run; undefined if it is. */
export function whyNotRun(command: string): string | undefined {
  return NOT_RUN.find(([pattern]) => pattern.test(command))?.[1];
}
