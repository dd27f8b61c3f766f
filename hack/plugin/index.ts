/** The kubectl plugin as a program. */
export { bundlePlugin } from "./bundle";
