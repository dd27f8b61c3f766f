/**
 * Builds what only the e2e suite needs: the cluster's binaries, helm and the image. A program of its own, started by
 * preparation.ts with a low priority while the quick suites run. What is in the cache already takes a moment.
 */
import { buildImage } from "../image";
import { type Progress, binaries, helm } from "../toolchain";

const started = performance.now();
const progress: Progress = (text) =>
  console.log(`  [builds ${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s] ${text}`);

try {
  await binaries(progress);
  await helm(progress);
  await buildImage({ progress });
  progress("done");
} catch (error) {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
