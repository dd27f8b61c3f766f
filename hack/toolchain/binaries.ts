/** Where the Kubernetes binaries, etcd, helm and Argo CD are; builds what is missing. Called by hack/cluster, demo and tests. */
import { existsSync } from "node:fs";
import path from "node:path";
import { actionlintTool } from "./actionlint";
import { argoCdTool } from "./argo-cd";
import { cached, cachedPath, type CachedTool, type Progress } from "./cache";
import { CERT_MANAGER_CRDS, certManagerCrdsTool, certManagerTool } from "./cert-manager";
import { goProblem } from "./go";
import { etcd, helmTool, kubernetes } from "./kubernetes";
import { kwokTool } from "./kwok";
import { KUBERNETES_BINARIES } from "./versions";

/** Names a folder with ready binaries, used instead of building them. */
const READY_BINARIES = "OVS_TRAFFIC_CONTROL_BIN";

export type Binary = (typeof KUBERNETES_BINARIES)[number] | "etcd";
export type Binaries = Record<Binary, string>;

/** Absolute paths of the Kubernetes binaries and etcd. */
export async function binaries(progress?: Progress): Promise<Binaries> {
  const ready = process.env[READY_BINARIES];
  if (ready) return readyBinaries(ready);
  await requireGoFor([kubernetes, etcd]);
  const kubernetesDirectory = await cached(kubernetes, progress);
  const etcdDirectory = await cached(etcd, progress);
  return entries((name) => path.join(name === "etcd" ? etcdDirectory : kubernetesDirectory, name));
}

/** Absolute path of helm. */
export async function helm(progress?: Progress): Promise<string> {
  const ready = process.env[READY_BINARIES];
  if (ready && existsSync(path.join(ready, "helm"))) return path.resolve(ready, "helm");
  await requireGoFor([helmTool]);
  return path.join(await cached(helmTool, progress), "helm");
}

/** Absolute path of the folder with Argo CD's program (argo-cd) and its CRDs. */
export async function argoCd(progress?: Progress): Promise<string> {
  await requireGoFor([argoCdTool]);
  return cached(argoCdTool, progress);
}

/** Absolute path of actionlint. */
export async function actionlint(progress?: Progress): Promise<string> {
  await requireGoFor([actionlintTool]);
  return path.join(await cached(actionlintTool, progress), "actionlint");
}

/** Absolute path of kwok. */
export async function kwok(progress?: Progress): Promise<string> {
  await requireGoFor([kwokTool]);
  return path.join(await cached(kwokTool, progress), "kwok");
}

/** Absolute paths of cert-manager's CRDs. */
export async function certManagerCrds(progress?: Progress): Promise<string[]> {
  await requireGoFor([certManagerCrdsTool]);
  const directory = await cached(certManagerCrdsTool, progress);
  return CERT_MANAGER_CRDS.map((name) => path.join(directory, name));
}

/** Absolute path of cert-manager's program. */
export async function certManager(progress?: Progress): Promise<string> {
  await requireGoFor([certManagerTool]);
  return path.join(await cached(certManagerTool, progress), "cert-manager");
}

/**
 * Has everything there that only the end-to-end tests call: where they run, there is no network to build from.
 * @param isLong whether the long ones are run
 */
export async function testTools(isLong: boolean, progress?: Progress): Promise<void> {
  for (const build of [certManagerCrds, actionlint, argoCd, ...(isLong ? [certManager] : [])]) await build(progress);
}

/** Whether `binaries()` would have to build something. */
export function binariesMissing(): boolean {
  return !process.env[READY_BINARIES] && [kubernetes, etcd].some((tool) => !existsSync(cachedPath(tool)));
}

async function requireGoFor(tools: CachedTool[]): Promise<void> {
  if (tools.every((tool) => existsSync(cachedPath(tool)))) return;
  const problem = await goProblem();
  if (problem) throw new Error(`${problem}, or name a folder with ready binaries in ${READY_BINARIES}.`);
}

function readyBinaries(directory: string): Binaries {
  const found = entries((name) => path.resolve(directory, name));
  const missing = Object.entries(found).filter(([, file]) => !existsSync(file));
  if (missing.length > 0)
    throw new Error(
      `${READY_BINARIES} names ${directory}, where ${missing.map(([name]) => name).join(", ")} cannot be found. ` +
        `Unset it to have them built.`,
    );
  return found;
}

function entries(locate: (name: Binary) => string): Binaries {
  const names: Binary[] = [...KUBERNETES_BINARIES, "etcd"];
  return Object.fromEntries(names.map((name) => [name, locate(name)])) as Binaries;
}
