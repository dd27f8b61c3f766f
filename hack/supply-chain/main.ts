/** `npm run supply-chain -- sbom|audit`: what the image is made of, and what is known against it. */
import { Command } from "commander";
import { execa } from "execa";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { NODE_VERSION, buildImage, fileInImage } from "../image";
import { imageBom, npmBom, readAudit } from "./index";

const root = path.join(import.meta.dirname, "../..");
const program = new Command("supply-chain").description("What the image is made of, and what is known against it.");

program
  .command("sbom")
  .description("write the image's bill of materials (CycloneDX)")
  .option("--output <file>", "where to", "reports/sbom.cdx.json")
  .option(
    "--dpkg-status <file>",
    "/var/lib/dpkg/status of an image that was built elsewhere; else the image is built here",
  )
  .option("--node <version>", "version of that image's Node", NODE_VERSION)
  .action(async ({ output, dpkgStatus, node }: { output: string; dpkgStatus?: string; node: string }) => {
    const status =
      dpkgStatus === undefined
        ? await fileInImage((await buildImage()).archive, "var/lib/dpkg/status")
        : await readFile(dpkgStatus, "utf8");
    const bom = imageBom(await npmBom(root), status, node);
    await mkdir(path.dirname(output), { recursive: true });
    await writeFile(output, `${JSON.stringify(bom, undefined, 2)}\n`);
    console.log(`${output}: ${bom.components.length} components`);
  });

program
  .command("audit")
  .description("ask the npm registry for vulnerabilities of what is bundled; exit code 1: there are some, 2: no answer")
  .action(async () => {
    const { stdout } = await execa("npm", ["audit", "--omit", "dev", "--json"], { cwd: root, reject: false });
    const verdict = readAudit(stdout);
    if (verdict.kind === "clean") console.log(`${verdict.looked} packages, nothing known against them.`);
    else if (verdict.kind === "vulnerable") console.error(verdict.findings.join("\n"));
    else console.error(`The registry has not said anything about our packages: ${verdict.why}`);
    process.exitCode = { clean: 0, vulnerable: 1, "no answer": 2 }[verdict.kind];
  });

await program.parseAsync();
