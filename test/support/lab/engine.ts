/**
 * An inspection engine with a verdict, inline on a node of the lab: it drops TCP to port 7 and passes everything else. Suricata
 * where it is installed (Debian 13 and Ubuntu 24.04 have a package, which the long suite installs), else nftables on a bridge of
 * the kernel. Used by the packet tests of redirects.
 *
 * Suricata's side follows its documentation (AF_PACKET IPS) and a trial of the same configuration by hand with 7.0.10; on the
 * machine on which these tests were written apt has no Suricata, so that the code below has not run there.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Lab, LabNode, Wire } from "../lab";
import { eventually } from "../e2e/eventually";
import { attempt } from "./command";

export interface Engine extends Wire {
  name: "Suricata" | "nftables";
  /** Packets that it has dropped so far; those that have just been may be missing still. */
  dropped: () => Promise<number>;
  stop: () => Promise<void>;
}

/** Port whose packets are dropped. */
export const REFUSED_PORT = 7;
const [TARGET, BACK] = ["v-t", "v-r"] as const;

export async function startEngine(lab: Lab, node: LabNode): Promise<Engine> {
  const ends = [await lab.addDevice(node, TARGET), await lab.addDevice(node, BACK)] as const;
  const { exitCode } = await attempt("sh", ["-c", "command -v suricata"]);
  return exitCode === 0 ? suricata(node, ends) : nftables(node, ends);
}

async function nftables(node: LabNode, ends: readonly string[]): Promise<Engine> {
  await node.exec("ip", "link", "add", "verdict", "type", "bridge", "mcast_snooping", "0");
  await node.exec("sysctl", "-qw", "net.ipv6.conf.verdict.disable_ipv6=1");
  await node.exec("ip", "link", "set", "verdict", "up");
  for (const end of ends) {
    await node.exec("ip", "link", "set", end, "master", "verdict", "up");
    await node.exec("bridge", "link", "set", "dev", end, "learning", "off");
  }
  await node.exec("nft", "add table bridge verdict; add counter bridge verdict dropped");
  await node.exec("nft", "add chain bridge verdict forward { type filter hook forward priority 0; }");
  await node.exec("nft", `add rule bridge verdict forward tcp dport ${REFUSED_PORT} counter name dropped drop`);
  return {
    ...{ name: "nftables", target: TARGET, back: BACK },
    dropped: async () => {
      const rules = JSON.parse(await node.exec("nft", "-j", "list", "counter", "bridge", "verdict", "dropped")) as {
        nftables: { counter?: { packets: number } }[];
      };
      return rules.nftables.find(({ counter }) => counter)?.counter?.packets ?? NaN;
    },
    stop: async () => {
      await node.exec("nft", "delete table bridge verdict");
    },
  };
}

async function suricata(node: LabNode, [into, outOf]: readonly [string, string]): Promise<Engine> {
  const directory = path.join(node.runDir, "suricata");
  await mkdir(directory, { recursive: true });
  const file = (name: string): string => path.join(directory, name);
  await writeFile(file("rules"), `drop tcp any any -> any ${REFUSED_PORT} (msg:"refused"; sid:1; rev:1;)\n`);
  await writeFile(file("suricata.yaml"), configuration(into, outOf));
  const where = ["-c", file("suricata.yaml"), "-S", file("rules"), "-l", directory, "--pidfile", file("pid")];
  await node.exec("suricata", ...where, "--af-packet", "--runmode", "workers", "-D");
  const read = (name: string): Promise<string> => readFile(file(name), "utf8").catch(() => "");
  await eventually("Suricata is ready", async () => /engine started/i.test(await read("suricata.log")), {
    seconds: 30,
  });
  return {
    ...{ name: "Suricata", target: TARGET, back: BACK },
    dropped: async () =>
      (await read("eve.json")).split("\n").filter((line) => line.includes('"event_type":"drop"')).length,
    stop: async () => {
      const pid = (await read("pid")).trim();
      await node.exec("kill", pid);
      await eventually("Suricata has ended", async () => (await attempt("kill", ["-0", pid])).exitCode !== 0, {
        seconds: 30,
      });
    },
  };
}

/** Each device's packets are put into the other one; every packet that is not is noted. */
function configuration(a: string, b: string): string {
  const inline = [
    ...["threads: 1", "cluster-type: cluster_flow", "defrag: no", "use-mmap: yes", "tpacket-v3: no", "copy-mode: ips"],
  ];
  const entry = (from: string, to: string, cluster: number): string =>
    `  - { interface: ${from}, copy-iface: ${to}, cluster-id: ${cluster}, ${inline.join(", ")} }`;
  return `%YAML 1.1
---
vars: { address-groups: { HOME_NET: any, EXTERNAL_NET: any } }
logging: { outputs: [ { file: { enabled: yes, level: info, filename: suricata.log } } ] }
outputs: [ { eve-log: { enabled: yes, filetype: regular, filename: eve.json, types: [ { drop: { alerts: yes, flows: all } } ] } } ]
af-packet:
${entry(a, b, 98)}
${entry(b, a, 97)}
stream: { inline: auto, midstream: true }
unix-command: { enabled: no }
`;
}
