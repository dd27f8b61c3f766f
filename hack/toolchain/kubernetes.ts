/**
 * Builds the Kubernetes binaries and etcd from their Go modules. k8s.io/kubernetes was never meant to be a dependency: its
 * go.mod points at staging modules inside its own repository, which are published as modules of version 0.x.y.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CachedTool } from "./cache";
import { go } from "./go";
import { KUBERNETES_BINARIES, VERSIONS } from "./versions";

/** go.mod of a module that can build k8s.io/kubernetes, from that module's own go.mod. */
export function kubernetesModule(upstream: string, version: string): string {
  const published = `v0.${version.split(".").slice(1).join(".")}`;
  const goVersion = /^go (\S+)$/m.exec(upstream)?.[1] ?? VERSIONS.go;
  const staging = [...upstream.matchAll(/^\s*(?:replace\s+)?(k8s\.io\/\S+)\s+=>\s+\.\/staging\//gm)].map(([, m]) => m!);
  if (staging.length === 0) throw new Error(`go.mod of k8s.io/kubernetes v${version} names no staging modules`);
  return [
    "module ovs-traffic-control.dev/toolchain/kubernetes",
    `go ${goVersion}`,
    `require k8s.io/kubernetes v${version}`,
    ...staging.map((module) => `replace ${module} => ${module} ${published}`),
    "",
  ].join("\n");
}

/** Without these the components call themselves v0.0.0 and the checks of version skew fail. */
function linkerFlags(version: string): string {
  const [major, minor] = version.split(".");
  const variable = "-X k8s.io/component-base/version";
  return `-s -w ${variable}.gitVersion=v${version} ${variable}.gitMajor=${major} ${variable}.gitMinor=${minor}`;
}

/** A file that imports what is built, so that `go mod tidy` finds what it needs. */
function toolsFile(packages: string[]): string {
  return `//go:build tools\n\npackage tools\n\nimport (\n${packages.map((name) => `\t_ "${name}"\n`).join("")})\n`;
}

const kubernetesPackages = KUBERNETES_BINARIES.map((name) => `k8s.io/kubernetes/cmd/${name}`);

export const kubernetes: CachedTool = {
  tool: "kubernetes",
  version: VERSIONS.kubernetes,
  recipe: [linkerFlags(VERSIONS.kubernetes), ...kubernetesPackages].join("\n"),
  build: async (into, scratch, progress) => {
    const name = `Kubernetes ${VERSIONS.kubernetes}`;
    progress(`${name}: reading its module file`);
    const download = ["mod", "download", "-json", `k8s.io/kubernetes@v${VERSIONS.kubernetes}`];
    const { GoMod } = JSON.parse(await go(download, { cwd: scratch })) as { GoMod: string };
    await writeFile(path.join(scratch, "go.mod"), kubernetesModule(await readFile(GoMod, "utf8"), VERSIONS.kubernetes));
    await writeFile(path.join(scratch, "tools.go"), toolsFile(kubernetesPackages));
    await go(["mod", "tidy", "-e"], { cwd: scratch, what: name, progress });
    const build = ["build", "-v", "-ldflags", linkerFlags(VERSIONS.kubernetes), "-o", `${into}/`];
    await go([...build, ...kubernetesPackages], { cwd: scratch, what: name, progress });
  },
};

const etcdPackage = "go.etcd.io/etcd/server/v3";

/** The API server reads from its cache only with etcd 3.5.13 or newer: Debian's is too old. */
export const etcd: CachedTool = {
  tool: "etcd",
  version: VERSIONS.etcd,
  recipe: `-s -w ${etcdPackage}`,
  build: async (into, scratch, progress) => {
    const name = `etcd ${VERSIONS.etcd}`;
    const module = `module ovs-traffic-control.dev/toolchain/etcd\ngo ${VERSIONS.go}\n`;
    await writeFile(path.join(scratch, "go.mod"), module);
    await writeFile(path.join(scratch, "tools.go"), toolsFile([etcdPackage]));
    await go(["get", `${etcdPackage}@v${VERSIONS.etcd}`], { cwd: scratch, what: name, progress });
    await go(["mod", "tidy"], { cwd: scratch, what: name, progress });
    const build = ["build", "-v", "-ldflags", "-s -w", "-o", path.join(into, "etcd"), etcdPackage];
    await go(build, { cwd: scratch, what: name, progress });
  },
};

/** Without the last two helm takes itself for a client of Kubernetes 1.20 and `helm template` refuses newer charts. */
const helmVersion = [
  `-X helm.sh/helm/v3/internal/version.version=v${VERSIONS.helm}`,
  `-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=${VERSIONS.kubernetes.split(".")[1]}`,
].join(" ");

export const helmTool: CachedTool = {
  tool: "helm",
  version: VERSIONS.helm,
  recipe: helmVersion,
  build: async (into, scratch, progress) => {
    const bin = path.join(scratch, "bin");
    await mkdir(bin);
    const install = ["install", "-v", "-ldflags", `-s -w ${helmVersion}`];
    await go([...install, `helm.sh/helm/v3/cmd/helm@v${VERSIONS.helm}`], {
      cwd: scratch,
      env: { GOBIN: into, GOFLAGS: "-buildvcs=false" },
      what: `helm ${VERSIONS.helm}`,
      progress,
    });
  },
};
