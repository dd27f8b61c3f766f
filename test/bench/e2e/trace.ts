/**
 * Where the time between a request and the first copy goes, stage by stage. The controller runs in this process for that, so that its
 * requests can be timed; the programmer's log says when it acted, and for how long. Used by main.ts.
 */
import { NODE_TRAFFIC_PLAN, TRAFFIC_CONTROL } from "@ovs-traffic-control/api";
import { JsonText, type KubernetesApi } from "../../../capabilities/engine";
import { wallClock } from "../../support/e2e/clock";
import { eventually } from "../../support/e2e/eventually";
import { JOBS_NAMESPACE } from "../../support/e2e/operator";
import { OwnController, withoutDeployedControllers } from "../../support/e2e/own-controller";
import type { Stage } from "../../support/e2e/stage";
import type { Bench } from "./latencies";
import type { Measurement } from "./statistics";

/** Seconds since the epoch. */
interface Seen {
  /** The controller's watch has told of the TrafficControl. */
  watched: number;
  planSent: number;
  planAnswered: number;
  hash: string;
}

interface Pass {
  began: number;
  ended: number;
}

export async function trace(stage: Stage, bench: Bench, runs: number): Promise<Measurement[]> {
  let seen: Partial<Seen> = {};
  const values = new Map<string, number[]>();
  const add = (stageName: string, from: number, to: number): void => {
    const known = values.get(stageName) ?? [];
    values.set(stageName, [...known, (to - from) * 1000]);
  };
  await withoutDeployedControllers(stage, async () => {
    const controller = await OwnController.start(stage, { observe: (api) => timed(api, () => seen) });
    try {
      await bench.creation();
      for (let run = 0; run < runs; run++) {
        seen = {};
        const { at } = await bench.creation();
        const { watched, planSent, planAnswered, hash } = seen as Seen;
        const pass = await passOf(stage, hash);
        add("trace: request → API's answer (webhooks, etcd)", at.sent, at.answered);
        add("trace: API's answer → the controller's watch tells", at.answered, watched);
        add("trace: watch → plan sent (selection, planning)", watched, planSent);
        add("trace: plan sent → API's answer", planSent, planAnswered);
        add("trace: plan sent → the programmer begins (its watch)", planSent, pass.began);
        add("trace: the programmer's pass (ports, flows, caches)", pass.began, pass.ended);
        add("trace: the pass begins → first copy", pass.began, at.copy);
      }
    } finally {
      await controller.stop();
    }
  });
  return [...values].map(([name, found]) => ({ name, unit: "ms", values: found }));
}

/** The client, with the time written down at which it hears of a TrafficControl and writes the first plan after that. */
function timed(api: KubernetesApi, seen: () => Partial<Seen>): KubernetesApi {
  const watch: KubernetesApi["watch"] = (path, query, onLine, signal) =>
    api.watch(
      path,
      query,
      (line) => {
        if (path.resource === TRAFFIC_CONTROL && line.startsWith('{"type":"ADDED"')) seen().watched ??= wallClock();
        onLine(line);
      },
      signal,
    );
  const apply: KubernetesApi["apply"] = async (path, body, options) => {
    const now = seen();
    const isFirst = path.resource === NODE_TRAFFIC_PLAN && now.watched !== undefined && now.planSent === undefined;
    if (isFirst && body instanceof JsonText) {
      now.planSent = wallClock();
      now.hash = /"hash":"([0-9a-f]+)"/.exec(body.text)?.[1];
    }
    const result = await api.apply<never>(path, body, options);
    if (isFirst) now.planAnswered = wallClock();
    return result;
  };
  return new Proxy(api, {
    get: (target, property) => {
      if (property === "watch") return watch;
      if (property === "apply") return apply;
      const method = Reflect.get(target, property) as (...args: unknown[]) => unknown;
      return method.bind(target);
    },
  });
}

/** When the programmer has put the plan in force, from its log. */
function passOf(stage: Stage, hash: string): Promise<Pass> {
  interface Line {
    time: string;
    hash?: string;
    milliseconds?: number;
  }
  const selector = "app.kubernetes.io/component=node-programmer";
  return eventually("the programmer has logged its pass", async () => {
    const args = ["logs", "--namespace", JOBS_NAMESPACE, "--selector", selector, "--tail", "50"];
    const lines = (await stage.cluster.kubectl(args)).split("\n").filter((line) => line.startsWith("{"));
    const found = lines.map((line) => JSON.parse(line) as Line).find((line) => line.hash === hash);
    if (found?.milliseconds === undefined) return undefined;
    const ended = Date.parse(found.time) / 1000;
    return { began: ended - found.milliseconds / 1000, ended };
  });
}
