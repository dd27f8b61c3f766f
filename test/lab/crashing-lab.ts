/** A run that is going to be killed, for lab.test.ts: builds a lab, says the name of a namespace of it, and waits. */
import { Lab } from "../support/lab";

const lab = await Lab.up({ nodes: { n1: ["a"] } });
console.log(lab.node("n1").namespace);
setInterval(() => undefined, 1000);
