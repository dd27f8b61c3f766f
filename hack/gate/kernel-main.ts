/**
 * Runs the packet tests inside the virtual machine: bundled by kernel.ts as main.mjs, together with the tests beside it.
 * Mocha is used as a library, because there is no node_modules in there.
 */
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import Mocha from "mocha";
import Reporter from "./reporter.cjs";
import type { Job } from "./kernel";

const folder = import.meta.dirname;
const { grep, output, timeout, env } = JSON.parse(readFileSync(path.join(folder, "job.json"), "utf8")) as Job;
Object.assign(process.env, env);
const mocha = new Mocha({ reporter: Reporter, reporterOptions: { output }, timeout, slow: timeout, forbidOnly: true });
if (grep !== undefined) mocha.grep(grep);
for (const file of readdirSync(path.join(folder, "tests"))) mocha.addFile(path.join(folder, "tests", file));
await mocha.loadFilesAsync();
mocha.run((failures) => process.exit(failures > 0 ? 1 : 0));
