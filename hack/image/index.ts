/** The door of the image build: the bundle, the image, the archive that a container runtime imports, and what it is made of. */
export { bundle, bundledFiles } from "./bundle";
export { NODE_VERSION, SLIM, debootstrap, nodeBinary, sources } from "./debian";
export { fileInImage, filesInImage } from "./file";
export { buildImage, type BuiltImage, type ImageOptions } from "./image";
