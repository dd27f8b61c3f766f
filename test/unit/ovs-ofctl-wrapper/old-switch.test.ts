/** Flow monitors before Open vSwitch 3.0, played after what 2.17.12 was seen to do (recorded/2.17.12.txt): the machine has a newer one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { watchByProcess } from "../../../packages/ovs-ofctl-wrapper/src/ofctl-watch";
import type { FlowEvent } from "../../../packages/ovs-ofctl-wrapper/src/monitor";
import { Connection } from "../../../packages/ovs-ofctl-wrapper/src/wire/connection";

const OFCTL = `#!/bin/sh
case $2 in
OpenFlow10) echo "NXST_FLOW_MONITOR reply (xid=0x2):"; echo " event=DELETED reason=delete table=3 cookie=0x5 ip" >&2; exec sleep 60 ;;
*) echo "ovs-ofctl: none of the usable flow formats (OpenFlow10,NXM) is among the allowed flow formats (OXM-OpenFlow13)" >&2; exit 1 ;;
esac
`;

describe("flows of a switch older than 3.0", () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(path.join(tmpdir(), "old-switch-"))));
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it("are watched by OpenFlow 1.0", async () => {
    writeFileSync(path.join(directory, "ovs-ofctl"), OFCTL, { mode: 0o755 });
    const before = process.env["PATH"];
    process.env["PATH"] = `${directory}:${before ?? ""}`;
    let stop = (): void => undefined;
    try {
      const event = await new Promise<FlowEvent>((resolve, reject) => {
        const end = (reason: string): void => {
          reject(new Error(reason));
        };
        stop = watchByProcess({ runDir: directory }, "unix:br0.mgmt", { up: () => undefined, flow: resolve, end });
      });
      assert.deepEqual(event, { event: "DELETED", reason: "delete", table: 3, cookie: 5n });
    } finally {
      stop();
      process.env["PATH"] = before;
    }
  });

  it("are not asked for on a held connection, where the answer would never come", async () => {
    const asked: number[] = [];
    const server = createServer((socket) => {
      socket.on("data", (request: Buffer) => {
        if (request[1] === 18) {
          asked.push(request.readUInt16BE(8));
          const description = Buffer.alloc(16 + 1056);
          request.copy(description, 0, 0, 16);
          description[1] = 19;
          description.writeUInt16BE(description.length, 2);
          description.write("2.17.12", 16 + 512);
          socket.write(description);
        } else socket.write(request);
      });
    });
    const file = path.join(directory, "br0.mgmt");
    await new Promise<void>((resolve) => server.listen(file, resolve));
    const connection = await Connection.open(file, 10_000);
    try {
      assert.equal(await connection.watch(), false);
      assert.deepEqual(asked, [0], "only who it is");
      assert.ok(connection.alive, "the connection goes on telling that the daemon is there");
    } finally {
      connection.close();
      server.close();
    }
  });
});
