/** Runs the Go tool: version check, builds with progress. Called by the builders of this room. */
import { execa } from "execa";
import { createInterface } from "node:readline";
import type { Progress } from "./cache";
import { VERSIONS } from "./versions";

/** What is wrong with the installed Go, or undefined. */
export async function goProblem(): Promise<string | undefined> {
  const result = await execa("go", ["env", "GOVERSION"], { reject: false });
  const wanted = `Go ${VERSIONS.go} or newer is needed to build Kubernetes ${VERSIONS.kubernetes}`;
  if (result.exitCode !== 0) return `${wanted}: install it from https://go.dev/dl/`;
  const found = /^go(\d+)\.(\d+)/.exec(result.stdout);
  const [major, minor] = VERSIONS.go.split(".").map(Number) as [number, number];
  if (!found || Number(found[1]) < major || (Number(found[1]) === major && Number(found[2]) < minor))
    return `${wanted}, this is ${result.stdout}: install it from https://go.dev/dl/`;
  return undefined;
}

export interface GoOptions {
  cwd: string;
  env?: NodeJS.ProcessEnv;
  /** What the progress lines begin with. */
  what?: string;
  progress?: Progress;
}

/** Runs `go ARGS` and returns its output. With `-v` among the arguments, every compiled package is a line of progress. */
export async function go(args: string[], { cwd, env, what, progress }: GoOptions): Promise<string> {
  const child = execa("go", args, {
    cwd,
    env: { CGO_ENABLED: "0", GOFLAGS: "-mod=mod -buildvcs=false", GOWORK: "off", ...env },
    reject: false,
  });
  if (progress) {
    const say = seldom(progress);
    let packages = 0;
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (/^[\w.-]+(\/[\w.~-]+)*$/.test(line)) say(`${what ?? "Go"}: ${++packages} packages compiled (${line})`);
      else if (line.startsWith("go: downloading ")) say(`${what ?? "Go"}: ${line.slice("go: ".length)}`);
    });
  }
  const result = await child;
  if (result.exitCode === 0) return result.stdout;
  const why = result.stderr
    .split("\n")
    .filter((line) => line.includes(" ") && !line.startsWith("go: downloading "))
    .slice(-15)
    .join("\n");
  throw new Error(
    `go ${args.join(" ")} in ${cwd} ended with ${String(result.exitCode ?? result.signal)}:\n${why || result.shortMessage}`,
  );
}

/** Passes on a line now and then: often where lines replace each other, seldom where they pile up in a log. */
function seldom(progress: Progress): Progress {
  const pause = process.stdout.isTTY ? 250 : 15_000;
  let last = -Infinity;
  return (text) => {
    if (performance.now() - last < pause) return;
    last = performance.now();
    progress(text);
  };
}
