/**
 * The bill of materials of the image, as CycloneDX: the npm packages that are bundled, the Debian packages that are installed,
 * and Node. Called by main.ts; the release workflow publishes it.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";

interface Component {
  type: "library" | "application" | "operating-system";
  "bom-ref": string;
  name: string;
  version: string;
  purl: string;
}

export interface Bom {
  serialNumber?: string;
  metadata: { timestamp?: string; component: { name: string; version: string } };
  components: Component[];
}

/** package-lock.json, in the parts that say who needs whom. */
export interface Lock {
  packages: Record<
    string,
    { version?: string; link?: boolean; resolved?: string; dependencies?: Record<string, string> }
  >;
}

/**
 * The npm packages that the programs of the image depend on, as npm describes them. Not by npm's own `--omit dev`: that leaves
 * out what a dependency needs if the project names it for its development as well (npm 11: eslint and commander, for pepr).
 * @param root of the repository
 */
export async function npmBom(root: string): Promise<Bom> {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
  const { stdout } = await execa("npm", args, { cwd: root, stdin: "ignore" });
  const all = JSON.parse(stdout) as Bom;
  const lock = JSON.parse(await readFile(path.join(root, "package-lock.json"), "utf8")) as Lock;
  const needed = new Set(runtimePackages(lock));
  return {
    ...all,
    components: all.components.filter((component) => needed.has(component["bom-ref"].replace(/\|.*/, ""))),
  };
}

/** "name@version" of each package that the project's programs reach by "dependencies". Pure. */
export function runtimePackages({ packages }: Lock): string[] {
  const reached = new Set<string>();
  const enter = (place: string): void => {
    if (reached.has(place)) return;
    reached.add(place);
    const { link, resolved, dependencies = {} } = packages[place] ?? {};
    if (link === true && resolved !== undefined) enter(resolved);
    for (const name of Object.keys(dependencies)) {
      const found = placeOf(packages, place, name);
      if (found !== undefined) enter(found);
    }
  };
  // The packages of this repository are bundled, whoever names them.
  for (const place of Object.keys(packages)) if (!place.includes("node_modules/")) enter(place);
  return [...reached].flatMap((place) => {
    const { version, link } = packages[place]!;
    return link === true || version === undefined || !place.includes("node_modules/")
      ? []
      : [`${place.split("node_modules/").pop() ?? ""}@${version}`];
  });
}

/** Where Node finds a package: in the nearest node_modules above. */
function placeOf(packages: Lock["packages"], from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) {
    const place = `${at === "" ? "" : `${at}/`}node_modules/${name}`;
    if (packages[place] !== undefined) return place;
    if (at === "") return undefined;
  }
}

/**
 * Pure.
 * @param dpkgStatus content of the image's /var/lib/dpkg/status
 * @param node version of the image's Node
 */
export function imageBom(npm: Bom, dpkgStatus: string, node: string): Bom {
  const runtime: Component = {
    ...{ type: "application", "bom-ref": `node@${node}`, name: "node", version: node },
    purl: `pkg:generic/node@${node}`,
  };
  const components = [...npm.components, ...debianPackages(dpkgStatus), runtime];
  const { component } = npm.metadata;
  // Without a time and with the contents' own number: the same contents are the same file.
  const digest = createHash("sha256").update(JSON.stringify(components)).digest("hex");
  const uuid = [digest.slice(0, 8), digest.slice(8, 12), `5${digest.slice(13, 16)}`, `8${digest.slice(17, 20)}`];
  return {
    ...npm,
    serialNumber: `urn:uuid:${[...uuid, digest.slice(20, 32)].join("-")}`,
    metadata: { component: { ...component, name: "ovs-traffic-control" } },
    components,
  };
}

function debianPackages(status: string): Component[] {
  return status.split(/\n\n+/).flatMap((paragraph) => {
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(paragraph)?.[1] ?? "";
    if (!field("Status").endsWith(" installed")) return [];
    const [name, version, architecture] = [field("Package"), field("Version"), field("Architecture")];
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=bookworm`;
    return [{ type: "library" as const, "bom-ref": `deb:${name}@${version}`, name, version, purl }];
  });
}
