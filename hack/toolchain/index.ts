/** The door of the toolchain: what has to be installed, and the programs that are built instead of installed. */
import "./search-path";

export {
  actionlint,
  argoCd,
  binaries,
  certManager,
  certManagerCrds,
  helm,
  kwok,
  testTools,
  type Binaries,
  type Binary,
} from "./binaries";
export { cached, cacheDirectory, type CachedTool, type Progress } from "./cache";
export { withLock } from "./lock";
export { checkPrerequisites, cniPluginDirectory, installPrerequisites, type Purpose } from "./prerequisites";
