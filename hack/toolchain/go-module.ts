/** A go.mod for a program of ours around the packages of a module. Called by the builders of Argo CD and cert-manager. */

/**
 * A module's "replace" counts only where it is the main one, so its lines are repeated here. Pure.
 * @param module path and version
 * @param upstream content of the module's own go.mod
 */
export function moduleAround(name: string, module: { path: string; version: string }, upstream: string): string {
  const goVersion = /^go (\S+)$/m.exec(upstream)?.[1];
  if (goVersion === undefined) throw new Error(`go.mod of ${module.path} v${module.version} names no Go version`);
  const replacements = [...upstream.matchAll(/^(?:replace |\t)(\S+(?: v\S+)? => \S+ v\S+)/gm)].map(([, each]) => each);
  return [
    `module ovs-traffic-control.dev/toolchain/${name}`,
    `go ${goVersion}`,
    `require ${module.path} v${module.version}`,
    ...replacements.map((each) => `replace ${each}`),
    "",
  ].join("\n");
}
