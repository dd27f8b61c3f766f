/**
 * npm run bench:e2e [-- --runs 20]: how long it takes from a request to a packet, on the embedded cluster. Brings up a
 * cluster of its own, unless one is named, and runs itself once more inside that cluster's machine.
 */
import { Command } from "commander";
import { once } from "node:events";
import { loadavg } from "node:os";
import path from "node:path";
import { down, up } from "../../../hack/cluster";
import { deploy } from "../../../hack/deploy";
import { cacheDirectory, withLock } from "../../../hack/toolchain";
import { Stage } from "../../support/e2e/stage";
import { machine } from "../report";
import { Bench } from "./latencies";
import { memory } from "./memory";
import { table } from "./statistics";
import { trace } from "./trace";
import type { Measurement } from "./statistics";

/** "Never missed by more than a second." */
const MISSED_MS = 1_000;

interface Options {
  runs: number;
  tries: number;
  cluster?: string;
  inside: boolean;
}

const OWN_CLUSTER = "bench";
const options = new Command("bench:e2e")
  .description("Measures latencies from a request to a packet, and the memory of each component.")
  .option("--runs <number>", "runs of each measurement", Number, 20)
  .option("--tries <number>", "runs of the first measurement", Number, 100)
  .option("--cluster <name>", "a running cluster with the operator in it")
  .option("--inside", "already inside the cluster's machine", false)
  .parse()
  .opts<Options>();

if (options.inside) await measure();
else {
  const cluster = options.cluster ?? OWN_CLUSTER;
  const onWait = (holder: string): void => console.error(`Process ${holder} measures in cluster ${cluster}: waiting.`);
  await withLock(path.join(cacheDirectory(), `bench-${cluster}.lock`), { onWait }, () => around(cluster));
}

async function around(cluster: string): Promise<void> {
  try {
    const running = await up({ name: cluster, nodes: 3 });
    if (options.cluster === undefined) await deploy(running);
    const child = running.spawnHost(
      process.execPath,
      [
        ...["--import", "tsx", import.meta.filename, "--inside", "--cluster", cluster],
        ...["--runs", String(options.runs), "--tries", String(options.tries)],
      ],
      { stdio: "inherit" },
    );
    const [code] = (await once(child, "exit")) as [number | null];
    process.exitCode = code ?? 1;
  } finally {
    if (options.cluster === undefined) await down(OWN_CLUSTER);
  }
}

async function measure(): Promise<void> {
  const load = loadavg()[0]!;
  const stage = await Stage.setUp(options.cluster);
  try {
    console.log(
      `\n${await figures(stage)}\n\n${machine(load, `npm run bench:e2e -- --runs ${options.runs} --tries ${options.tries}`)}`,
    );
  } finally {
    await stage.tearDown();
  }
}

async function figures(stage: Stage): Promise<string> {
  const bench = await Bench.start(stage);
  const found: Measurement[] = [];
  const add = (name: string, values: number[]): void => void found.push({ name, unit: "ms", values });

  await bench.creation(); // The first one starts the node's programmer.
  const creations = await runs("creation", () => bench.creation(), options.tries);
  add(
    "programmer on the node: API's answer → first copy",
    creations.map(({ answered }) => answered),
  );
  add(
    "the same, from the request on",
    creations.map(({ sent }) => sent),
  );
  add(
    "the same, until the status says Ready",
    creations.map(({ ready }) => ready),
  );
  add("programmer on the node: start of kubectl apply → first copy", await runs("kubectl apply", () => bench.apply()));

  const missed = creations.filter(({ answered }) => answered > MISSED_MS).length;
  console.log(
    `\nOf ${creations.length} creations ${missed} had to wait more than ${MISSED_MS / 1000} s for the first copy.`,
  );
  found.push(...(await trace(stage, bench, options.runs)));

  const pods = await runs("new Pod", (run) => bench.newPod(run));
  add(
    "new Pod: API's answer → first copy",
    pods.map(({ answered }) => answered),
  );
  found.push({
    name: "new Pod: packets before the first copy",
    unit: "packets",
    values: pods.map(({ missed }) => missed),
  });

  const deletions = await runs("deletion", () => bench.deletion());
  add(
    "deletion: API's answer → last copy",
    deletions.map(({ answered }) => answered),
  );
  add(
    "deletion: object gone → last copy",
    deletions.map(({ gone }) => gone),
  );
  add(
    "deletion: request → object gone",
    deletions.map(({ duration }) => duration),
  );
  found.push(...memory(stage.cluster));

  const cold = await runs("creation without a programmer", async () => {
    await bench.withoutProgrammer();
    return bench.creation();
  });
  add(
    "no programmer on the node: API's answer → first copy",
    cold.map(({ answered }) => answered),
  );
  add(
    "no programmer on the node: start of kubectl apply → first copy",
    await runs("kubectl apply without a programmer", async () => {
      await bench.withoutProgrammer();
      return bench.apply();
    }),
  );
  await bench.stop();
  return table(found);
}

async function runs<T>(what: string, run: (number: number) => Promise<T>, times = options.runs): Promise<T[]> {
  const values: T[] = [];
  for (let number = 1; number <= times; number++) {
    if (process.stderr.isTTY) process.stderr.write(`\r${what}: ${number} of ${times}   `);
    values.push(await run(number));
  }
  console.error(`${process.stderr.isTTY ? "\r" : ""}${what}: ${times} runs done   `);
  return values;
}
