/**
 * Builds what the suite named by its argument needs: kernel, the virtual machine; else the cluster's binaries, helm and
 * the image; for e2e Argo CD, too. A program of its own, started by preparation.ts with a low priority while the quick suites
 * run. What is in the cache already takes a moment.
 */
import { buildImage } from "../image";
import { vmImage } from "../kernel";
import { type Progress, binaries, helm, testTools } from "../toolchain";

const started = performance.now();
const progress: Progress = (text) =>
  console.log(`  [builds ${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s] ${text}`);

try {
  if (process.argv[2] === "kernel") await vmImage(progress);
  else {
    await binaries(progress);
    await helm(progress);
    await buildImage({ progress });
    if (process.argv[2] === "e2e") await testTools(false, progress);
  }
  progress("done");
} catch (error) {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
