/** `npm run plugin`: writes dist-plugin/kubectl-trafficcontrol, to be put on the PATH. */
import { statSync } from "node:fs";
import { bundlePlugin } from "./index";

const program = await bundlePlugin();
console.log(`${program} ${Math.ceil(statSync(program).size / 1024)} KiB`);
