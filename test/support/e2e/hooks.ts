/** Mocha's root hooks for test/e2e: one stage for all tests, and nothing left after each. Loaded by test/e2e/.mocharc.json. */
import type { RootHookObject } from "mocha";
import type { NetworkName } from "../../../hack/cluster";
import { Stage } from "./stage";

let current: Stage | undefined;

export function stage(): Stage {
  if (!current) throw new Error("The stage is set up in a root hook: ask for it inside a test or a hook.");
  return current;
}

/** Skips the test on every other network than this one, and says why in its name. */
export function onlyOn(network: NetworkName, context: Mocha.Context, reason: string): void {
  if (stage().cluster.network === network) return;
  if (context.test) context.test.title += ` (only on ${network}: ${reason})`;
  context.skip();
}

export const mochaHooks: RootHookObject = {
  async beforeAll(this: Mocha.Context): Promise<void> {
    this.timeout(120_000);
    current = await Stage.setUp(process.env["CLUSTER_NAME"]);
  },
  async afterEach(this: Mocha.Context): Promise<void> {
    this.timeout(120_000);
    await current?.reset();
  },
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(120_000);
    await current?.tearDown();
    current = undefined;
  },
};
