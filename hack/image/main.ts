/** `npm run image [-- --tag T] [--bundle-only]`: builds the image and prints where it is. */
import { Command } from "commander";
import { checkPrerequisites, installPrerequisites, type Progress } from "../toolchain";
import { buildImage, bundle } from "./index";

const options = new Command("image")
  .description("Builds the image from the Dockerfile, without Docker and without a registry.")
  .option("--tag <tag>", "tag of the image; the version and a hash of the content if absent")
  .option("--bundle-only", "only write dist/, the Dockerfile's context, as for `docker build .`")
  .parse()
  .opts<{ tag?: string; bundleOnly?: true }>();

const started = performance.now();
const progress: Progress = (text) =>
  console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);

try {
  if (options.bundleOnly) {
    for (const [name, content] of Object.entries(await bundle()))
      console.log(`dist/${name} ${Math.ceil(content.length / 1024)} KiB`);
  } else {
    const { installable, problems } = await checkPrerequisites(["image"]);
    if (problems.length > 0) throw new Error(problems.join("\n"));
    await installPrerequisites(installable, progress);
    const { archive, reference } = await buildImage({ tag: options.tag, progress });
    progress("Image: done");
    console.log(`${reference}\n${archive}`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
