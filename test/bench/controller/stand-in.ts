/**
 * A stand-in for the API server, as a process of its own: real HTTP, pages, watches and resourceVersions over objects in memory, and a
 * fleet of node programmers that confirm every plan at once. The real one would spend the benchmark's time on etcd and authentication;
 * what is measured is the controller. Started by fleet.ts, which talks to it through IPC.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Population, type Size } from "./population";
import { Store, type Stored } from "./store";

export type Order =
  | { do: "fill"; size: Size }
  | { do: "put"; collection: string; object: Stored }
  | { do: "remove"; collection: string; namespace?: string; name: string }
  | { do: "count" };

/** What the stand-in reports: each plan that was written, with the Pods that the one before had not, and how many requests there have been. */
export type Report =
  | { event: "listening"; port: number }
  | { event: "done" }
  | { event: "plan"; node: string; uids: string[]; rules: number; at: number }
  | { event: "count"; requests: Record<string, number> };

const PLANS = "/apis/ovs-traffic-control.dev/v1alpha1/nodetrafficplans";
const store = new Store();
const requests: Record<string, number> = {};
/** UIDs of the Pods in the last plan of each node. */
const planned = new Map<string, Set<string>>();
const tell = (report: Report): void => void process.send?.(report);

const server = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const url = new URL(request.url ?? "/", "http://stand-in");
    const text = Buffer.concat(chunks).toString("utf8");
    answer(
      request.method ?? "GET",
      url,
      text === "" ? undefined : (JSON.parse(text) as Stored),
      response,
      request.headers["content-type"] ?? "",
      request.headers.accept ?? "",
    );
  });
});

function answer(
  method: string,
  url: URL,
  body: Stored | undefined,
  response: http.ServerResponse,
  type: string,
  accept: string,
): void {
  const place = store.placeOf(url.pathname);
  const kind = `${method} ${place.collection.split("/").at(-1) ?? ""}${place.subresource === undefined ? "" : "/status"}`;
  requests[kind] = (requests[kind] ?? 0) + 1;
  const send = (code: number, value: unknown): void => {
    response.writeHead(code, { "Content-Type": "application/json" });
    response.end(typeof value === "string" ? value : JSON.stringify(value));
  };
  if (url.searchParams.get("watch") === "true") {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.flushHeaders();
    const stop = store.watch(place, url.searchParams, (line) => response.write(line));
    response.on("close", stop);
    return;
  }
  if (place.name === undefined && method === "GET") {
    send(200, store.page(place, url.searchParams));
    return;
  }
  const result = store.perform(method, place, body, type);
  const isWhole = result.code !== 200 || !accept.includes("as=PartialObjectMetadata");
  send(result.code, isWhole ? result.object : { kind: "PartialObjectMetadata", metadata: result.object.metadata });
  // Its Pod runs at once.
  if (kind === "POST jobs" && result.code === 200)
    setImmediate(() => store.put(place.collection, { ...result.object, status: { ready: 1 } }));
  if (place.collection !== PLANS || result.code !== 200 || method !== "PATCH" || result.object.spec === undefined)
    return;
  const { spec, metadata } = result.object as Stored & { spec: PlanSpec };
  const before = planned.get(metadata.name);
  planned.set(metadata.name, new Set(spec.pods.map(({ uid }) => uid)));
  tell({
    event: "plan",
    node: metadata.name,
    uids: spec.pods.flatMap(({ uid }) => (before?.has(uid) === true ? [] : [uid])),
    rules: spec.rules.length,
    at: Date.now(),
  });
  setImmediate(() => confirm(metadata.name, spec));
}

interface PlanSpec {
  hash: string;
  pods: { uid: string; class: number }[];
  rules: { name: string; uid: string; generation: number }[];
  classes: { rules: number[] }[];
}

/** What the node's programmer would say a moment later. */
function confirm(node: string, { hash, pods, rules, classes }: PlanSpec): void {
  const realized = new Array<number>(rules.length).fill(0);
  for (const pod of pods) for (const rule of classes[pod.class]!.rules) realized[rule]! += 1;
  const before = store.get(PLANS, undefined, node);
  if (before === undefined) return;
  const status = {
    observedHash: hash,
    realizedPods: pods.length,
    rules: rules.map(({ name, uid, generation }, i) => ({
      name,
      uid,
      generation,
      realizedPods: realized[i],
      pendingPods: [],
    })),
  };
  store.put(PLANS, { ...before, status });
}

function fill(size: Size): void {
  const population = new Population(size);
  for (let i = 0; i < size.namespaces; i++) {
    const { name, labels } = population.namespace(i);
    store.put("/api/v1/namespaces", { metadata: { name, uid: `ns-${i}`, labels } });
  }
  for (let i = 0; i < size.nodes; i++) {
    const status = { conditions: [{ type: "Ready", status: "True" }], nodeInfo: { bootID: `boot-${i}` } };
    store.put("/api/v1/nodes", { metadata: { name: `node-${i}`, uid: `node-uid-${i}` }, status });
  }
  for (let i = 0; i < size.selectors; i++)
    store.put(TRAFFIC_CONTROLS, population.trafficControl(i) as unknown as Stored);
  for (let i = 0; i < size.pods; i++) store.put("/api/v1/pods", population.rawPod(i) as unknown as Stored);
}

export const TRAFFIC_CONTROLS = "/apis/crd.antrea.io/v1alpha2/trafficcontrols";

process.on("message", (order: Order) => {
  if (order.do === "count") {
    tell({ event: "count", requests: { ...requests } });
    return;
  }
  if (order.do === "fill") fill(order.size);
  else if (order.do === "put") store.put(order.collection, order.object);
  else store.remove(order.collection, order.namespace, order.name);
  tell({ event: "done" });
});
process.on("disconnect", () => process.exit(0));
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => tell({ event: "listening", port: (server.address() as AddressInfo).port }));
