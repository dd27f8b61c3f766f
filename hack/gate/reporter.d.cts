/** The type of reporter.cjs, for kernel-main.ts. */
import { reporters } from "mocha";

declare class GateReporter extends reporters.Spec {}
export = GateReporter;
