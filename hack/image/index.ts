/** The door of the image build: the bundle, the image, and the archive that a container runtime imports. */
export { bundle } from "./bundle";
export { buildImage, type BuiltImage, type ImageOptions } from "./image";
