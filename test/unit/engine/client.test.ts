import assert from "node:assert/strict";
import { KubeConfig } from "@kubernetes/client-node";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Connection, EngineMetrics, KubernetesClient, pathOf, RESOURCES } from "../../../capabilities/engine";
import { LineSplitter, type ClientOptions } from "../../../capabilities/engine/client";

const JOB = { resource: RESOURCES.jobs, namespace: "n", name: "j" };

/** A client of a server that answers as told and remembers what it was asked. */
async function withServer(
  answer: (request: http.IncomingMessage, body: string, response: http.ServerResponse) => void,
  act: (client: KubernetesClient, seen: { url: string; type: string; body: string }[]) => Promise<void>,
  options: Pick<ClientOptions, "mayWrite" | "writeTimeoutMilliseconds"> = {},
): Promise<{ connections: number }> {
  const seen: { url: string; type: string; body: string }[] = [];
  let connections = 0;
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen.push({
        url: `${request.method ?? ""} ${request.url ?? ""}`,
        type: request.headers["content-type"] ?? "",
        body,
      });
      answer(request, body, response);
    });
  });
  server.on("connection", () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const config = new KubeConfig();
  const { port } = server.address() as AddressInfo;
  config.loadFromClusterAndUser(
    { name: "c", server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: "u", token: "secret" },
  );
  const connection = new Connection(config);
  try {
    await act(new KubernetesClient({ connection, metrics: new EngineMetrics(), ...options }), seen);
  } finally {
    connection.close();
    server.closeAllConnections();
    server.close();
  }
  return { connections };
}

const json = (response: http.ServerResponse, code: number, value: unknown): void => {
  response.writeHead(code, { "Content-Type": "application/json" });
  response.end(JSON.stringify(value));
};

describe("KubernetesClient", () => {
  it("answers with a failure where it has no credentials, such as for plain HTTP that nobody has allowed", async () => {
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: "c", server: "http://127.0.0.1:1", skipTLSVerify: false }, { name: "u" });
    const client = new KubernetesClient({ connection: new Connection(config), metrics: new EngineMetrics() });
    const found = await client.get(JOB);
    assert.ok(!found.ok);
    assert.deepEqual([found.code, found.reason], [0, "NoAnswer"]);
    assert.match(found.message, /HTTP/);
  });

  it("speaks each verb in the API server's dialect, over one connection", async () => {
    const { connections } = await withServer(
      (_request, _body, response) => json(response, 200, {}),
      async (client, seen) => {
        await client.get(JOB);
        await client.list({ resource: RESOURCES.pods }, { limit: 500, labelSelector: "a=b", continue: undefined });
        await client.apply(JOB, { spec: 1 });
        await client.mergePatch({ ...JOB, subresource: "status" }, { status: 1 });
        await client.jsonPatch(JOB, [{ op: "remove", path: "/x" }]);
        await client.delete(JOB, { propagationPolicy: "Foreground" });
        assert.deepEqual(
          seen.map(({ url, type }) => `${url} ${type}`.trim()),
          [
            "GET /apis/batch/v1/namespaces/n/jobs/j",
            "GET /api/v1/pods?limit=500&labelSelector=a%3Db",
            "PATCH /apis/batch/v1/namespaces/n/jobs/j?fieldManager=ovs-traffic-control&force=true&fieldValidation=Strict application/apply-patch+yaml",
            "PATCH /apis/batch/v1/namespaces/n/jobs/j/status?fieldManager=ovs-traffic-control application/merge-patch+json",
            "PATCH /apis/batch/v1/namespaces/n/jobs/j?fieldManager=ovs-traffic-control application/json-patch+json",
            "DELETE /apis/batch/v1/namespaces/n/jobs/j application/json",
          ],
        );
        assert.deepEqual(JSON.parse(seen.at(-1)!.body), {
          kind: "DeleteOptions",
          apiVersion: "v1",
          propagationPolicy: "Foreground",
        });
      },
    );
    assert.equal(connections, 1);
  });

  it("returns what the API server refuses as a value with code, reason and message", async () => {
    await withServer(
      (_request, _body, response) =>
        json(response, 409, { kind: "Status", reason: "AlreadyExists", message: "is there" }),
      async (client) => {
        assert.deepEqual(await client.create({ resource: RESOURCES.jobs, namespace: "n" }, {}), {
          ok: false,
          code: 409,
          reason: "AlreadyExists",
          message: "is there",
          retryAfterSeconds: undefined,
        });
      },
    );
  });

  it("returns code 0 if there is no answer", async () => {
    await withServer(
      (request) => request.socket.destroy(),
      async (client) => {
        const result = await client.get(JOB);
        assert.equal(!result.ok && result.code, 0);
      },
    );
  });

  it("sends no write while the fence is down, and reads on", async () => {
    await withServer(
      (_request, _body, response) => json(response, 200, {}),
      async (client, seen) => {
        const refused = await client.apply(JOB, {});
        assert.equal(!refused.ok && refused.reason, "Fenced");
        assert.equal((await client.get(JOB)).ok, true);
        assert.deepEqual(
          seen.map(({ url }) => url.split(" ")[0]),
          ["GET"],
        );
      },
      { mayWrite: () => false },
    );
  });

  it("never sends a write that has waited too long for a free connection: somebody else may lead by then", async () => {
    const held: http.ServerResponse[] = [];
    await withServer(
      (_request, _body, response) => held.push(response),
      async (client, seen) => {
        const reads = Array.from({ length: 64 }, () => client.get(JOB));
        while (held.length < 64) await new Promise((resolve) => setTimeout(resolve, 1));
        const result = await client.apply(JOB, {});
        assert.ok(held.length > 0, "the answer does not wait for a connection either");
        assert.deepEqual(
          [!result.ok && result.reason, !result.ok && result.message],
          ["NoAnswer", "no answer within 50 ms"],
        );
        for (const response of held.splice(0)) json(response, 200, {});
        await Promise.all(reads);
        const after = client.get(JOB);
        while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        json(held[0]!, 200, {});
        await after;
        assert.deepEqual([...new Set(seen.map(({ url }) => url.split(" ")[0]))], ["GET"]);
      },
      { writeTimeoutMilliseconds: 50 },
    );
  });

  it("gives up a write whose answer comes in drops", async () => {
    await withServer(
      (_request, _body, response) => {
        response.writeHead(200);
        const drops = setInterval(() => response.write(" "), 10);
        response.on("close", () => clearInterval(drops));
      },
      async (client) => {
        const result = await client.apply(JOB, {});
        assert.equal(!result.ok && result.code, 0);
      },
      { writeTimeoutMilliseconds: 100 },
    );
  });

  it("hands over the lines of a watch as they come, and ends with the stream", async () => {
    await withServer(
      (_request, _body, response) => {
        response.writeHead(200);
        response.write('{"type":"ADD');
        setTimeout(() => response.end('ED"}\n{"type":"MODIFIED"}\n'), 5);
      },
      async (client) => {
        const lines: string[] = [];
        const end = await client.watch(
          { resource: RESOURCES.pods },
          {},
          (line) => lines.push(line),
          new AbortController().signal,
        );
        assert.deepEqual([end.ok, lines], [true, ['{"type":"ADDED"}', '{"type":"MODIFIED"}']]);
      },
    );
  });

  it("survives that a watch is given up from within its last line, which is how an expired version is answered", async () => {
    for (const isWhole of [true, false])
      await withServer(
        (_request, _body, response) => {
          response.writeHead(200, { "Content-Type": "application/json" });
          if (isWhole) response.end('{"type":"ERROR"}\n');
          else response.write('{"type":"ERROR"}\n');
        },
        async (client) => {
          const attempt = new AbortController();
          const lines: string[] = [];
          const give = (line: string): void => {
            lines.push(line);
            attempt.abort();
          };
          const signal = AbortSignal.any([attempt.signal, new AbortController().signal]);
          const result = await client.watch({ resource: RESOURCES.pods }, {}, give, signal);
          assert.deepEqual([result.ok, lines.length], [true, 1]);
          await new Promise((resolve) => setTimeout(resolve, 20));
        },
      );
  });

  it("ends a watch when told to", async () => {
    await withServer(
      (_request, _body, response) => response.writeHead(200).write("{}\n"),
      async (client) => {
        const stop = new AbortController();
        const end = await client.watch({ resource: RESOURCES.pods }, {}, () => stop.abort(), stop.signal);
        assert.equal(end.ok, true);
      },
    );
  });
});

describe("LineSplitter", () => {
  it("never tears a character apart, wherever the chunks end", () => {
    const bytes = Buffer.from('{"a":"ü"}\n{"b":"🙂"}\n');
    for (let cut = 0; cut <= bytes.length; cut++) {
      const lines: string[] = [];
      const splitter = new LineSplitter((line) => lines.push(line));
      splitter.push(bytes.subarray(0, cut));
      splitter.push(bytes.subarray(cut));
      assert.deepEqual(lines, ['{"a":"ü"}', '{"b":"🙂"}'], `cut at ${cut}`);
    }
  });
});

describe("pathOf", () => {
  for (const [path, expected] of [
    [{ resource: RESOURCES.nodes, name: "n/1" }, "/api/v1/nodes/n%2F1"],
    [
      { resource: RESOURCES.jobs, namespace: "a", name: "b", subresource: "status" },
      "/apis/batch/v1/namespaces/a/jobs/b/status",
    ],
    [{ resource: RESOURCES.leases, namespace: "a" }, "/apis/coordination.k8s.io/v1/namespaces/a/leases"],
  ] as const) {
    it(`writes ${expected}`, () => assert.equal(pathOf(path), expected));
  }
});
