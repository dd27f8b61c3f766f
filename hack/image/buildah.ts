/**
 * buildah with a storage of our own, in the cache: it neither sees nor changes the images of the machine. Called by the
 * image build, which holds a lock while it uses one.
 */
import { execa } from "execa";
import { createInterface } from "node:readline";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { cacheDirectory, type Progress } from "../toolchain";

export class Buildah {
  private constructor(
    private readonly directory: string,
    /** Mounts and locks that must not outlive a restart of the machine. */
    private readonly runtime: string,
  ) {}

  static async open(name: string): Promise<Buildah> {
    const directory = path.join(cacheDirectory(), name);
    const buildah = new Buildah(directory, path.join(existsSync("/run") ? "/run" : directory, `otc-${name}`));
    await mkdir(directory, { recursive: true });
    // The machine's own policy and registry list may be missing (they are another package) or forbid short names.
    await writeFile(buildah.file("policy.json"), `{ "default": [{ "type": "insecureAcceptAnything" }] }\n`);
    await writeFile(buildah.file("registries.conf"), `unqualified-search-registries = ["docker.io"]\n`);
    return buildah;
  }

  async exists(image: string): Promise<boolean> {
    const result = await execa("buildah", [...this.storage(), "inspect", "--type", "image", image], {
      reject: false,
      env: this.environment(),
    });
    return result.exitCode === 0;
  }

  /** `buildah build`, in a chroot: no container runtime, no network namespace, no registry. */
  async build(image: string, context: string, args: string[], progress: Progress): Promise<void> {
    const isolation = ["--isolation", "chroot", "--network", "host", "--pull-never"];
    await this.run(["build", ...this.policy(), ...isolation, ...args, "--tag", image, context], progress);
  }

  async push(image: string, destination: string, args: string[], progress: Progress): Promise<void> {
    await this.run(["push", ...this.policy(), ...args, image, destination], progress);
  }

  /** Removes images that no name points to. */
  async prune(): Promise<void> {
    await this.run(["rmi", "--prune"], () => undefined);
  }

  private async run(args: string[], progress: Progress): Promise<void> {
    const child = execa("buildah", [...this.storage(), ...args], {
      stdin: "ignore",
      all: true,
      reject: false,
      env: this.environment(),
    });
    createInterface({ input: child.all }).on("line", (line) => {
      if (line.startsWith("STEP ")) progress(`Image: ${line.slice("STEP ".length, 70)}`);
    });
    const result = await child;
    if (result.exitCode === 0) return;
    const end = result.all.split("\n").slice(-15).join("\n");
    throw new Error(`buildah ${args.join(" ")} ended with ${String(result.exitCode ?? result.signal)}:\n${end}`);
  }

  private storage(): string[] {
    return ["--root", this.file("storage"), "--runroot", this.runtime];
  }

  private policy(): string[] {
    return ["--signature-policy", this.file("policy.json")];
  }

  private environment(): NodeJS.ProcessEnv {
    return { CONTAINERS_REGISTRIES_CONF: this.file("registries.conf") };
  }

  /** A path beside the storage, of the same life. */
  file(name: string): string {
    return path.join(this.directory, name);
  }
}
