/** The door of the supply chain: what is in the image, and what is known against it. */
export { readAudit } from "./audit";
export { imageBom, npmBom, runtimePackages, type Bom } from "./sbom";
