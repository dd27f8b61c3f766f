/** Bytes over TCP from one Pod to another. Used by packet tests that need a connection rather than packets. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { attempt, within } from "./command";
import type { LabPod } from "./pod";

/** Serves so many bytes to each connection on a port, over IPv4 and IPv6; ends with the Pod's namespace. Returns once it listens. */
export async function serve(pod: LabPod, port: number, bytes: number): Promise<void> {
  const script = `
import socket, sys, threading
s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("::", ${port})); s.listen()
sys.stdout.write("listening\\n"); sys.stdout.flush()
def send(c):
    left = ${bytes}
    while left > 0:
        left -= c.send(b"x" * min(left, 65536))
    c.close()
while True:
    threading.Thread(target=send, args=(s.accept()[0],), daemon=True).start()
`;
  const child = spawn("ip", within(pod.namespace, "python3", ["-c", script]), { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.unref();
  child.stdout.destroy();
}

/** Fetches everything from a server; the number of bytes. `bytesPerSecond`: as fast as it goes if absent. */
export async function fetchFrom(pod: LabPod, address: string, port: number, bytesPerSecond?: number): Promise<number> {
  const pause = bytesPerSecond === undefined ? "" : `time.sleep(len(data) / ${bytesPerSecond})`;
  const script = `
import socket, time
s = socket.create_connection(("${address}", ${port}), timeout=30)
total = 0
while True:
    data = s.recv(65536)
    if not data:
        break
    total += len(data)
    ${pause}
print(total)
`;
  const options = { timeout: 240_000 };
  const { stdout, stderr } = await attempt("ip", within(pod.namespace, "python3", ["-c", script]), options);
  if (stdout.trim() === "") throw new Error(`The transfer from ${address}:${port} ended:\n${stderr}`);
  return Number(stdout);
}
