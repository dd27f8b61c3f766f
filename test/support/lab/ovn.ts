/**
 * OVN's central half for a lab: both databases and ovn-northd from Debian packages, in a namespace on the underlay, and the
 * logical network: a switch for each of the layout's, a router between them. Made by Lab; each node runs ovn-controller.
 */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { run, within } from "./command";
import { alive } from "./place";
import type { LabPod } from "./pod";

const SCHEMAS = "/usr/share/ovn";
const SOUTHBOUND_PORT = 6642;

export class LabOvn {
  private readonly directory: string;

  constructor(
    /** Where the daemons run; has `address` on the underlay. */
    private readonly namespace: string,
    private readonly address: string,
    directory: string,
  ) {
    this.directory = path.join(directory, "ovn");
  }

  /** What ovn-controller connects to. */
  get remote(): string {
    return `tcp:${this.address}:${SOUTHBOUND_PORT}`;
  }

  async start(): Promise<void> {
    const { directory } = this;
    await mkdir(directory, { recursive: true });
    const northbound = [`${directory}/nb.db`, `--remote=punix:${directory}/nb.sock`];
    const southbound = [`${directory}/sb.db`, `--remote=punix:${directory}/sb.sock`];
    await Promise.all([
      run("ovsdb-tool", ["create", `${directory}/nb.db`, `${SCHEMAS}/ovn-nb.ovsschema`]),
      run("ovsdb-tool", ["create", `${directory}/sb.db`, `${SCHEMAS}/ovn-sb.ovsschema`]),
    ]);
    await Promise.all([
      this.daemon("ovsdb-server", "nb", northbound),
      this.daemon("ovsdb-server", "sb", [...southbound, `--remote=ptcp:${SOUTHBOUND_PORT}:${this.address}`]),
    ]);
    await this.startNorthd();
  }

  async startNorthd(): Promise<void> {
    const { directory } = this;
    const databases = [`--ovnnb-db=unix:${directory}/nb.sock`, `--ovnsb-db=unix:${directory}/sb.sock`];
    await this.daemon("ovn-northd", "northd", databases);
  }

  /** Kills ovn-northd as a crash would. */
  async killNorthd(): Promise<void> {
    const pid = Number(readFileSync(`${this.directory}/northd.pid`, "utf8"));
    process.kill(pid, "SIGKILL");
    while (alive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** ovn-nbctl; has to succeed. */
  nbctl(...args: string[]): Promise<string> {
    return run("ovn-nbctl", ["--timeout=30", `--db=unix:${this.directory}/nb.sock`, ...args]);
  }

  /** Waits until every node has the flows of what the northbound database says. */
  async sync(): Promise<void> {
    await this.nbctl("--wait=hv", "sync");
  }

  /** One logical switch per network, `sw9` for network 9, joined by the router `lr`. */
  async build(networks: ReadonlyMap<number, readonly LabPod[]>): Promise<void> {
    const words = ["lr-add", "lr"];
    for (const [network, pods] of networks) {
      const [name, hex] = [`sw${network}`, network.toString(16).padStart(2, "0")];
      words.push("--", "ls-add", name, "--", "lrp-add", "lr", `lr-${name}`, `0a:00:00:00:ff:${hex}`);
      words.push(`10.${network}.0.1/24`, `fd0${network}::1/64`);
      words.push("--", "lsp-add", name, `${name}-lr`, "--", "lsp-set-type", `${name}-lr`, "router");
      words.push("--", "lsp-set-addresses", `${name}-lr`, "router");
      words.push("--", "lsp-set-options", `${name}-lr`, `router-port=lr-${name}`);
      for (const pod of pods) words.push("--", ...addPort(name, pod));
    }
    await this.nbctl(...words);
  }

  private daemon(program: string, name: string, args: string[]): Promise<string> {
    const { directory } = this;
    const files = ["pid", "log"].map(
      (kind) => `--${kind === "pid" ? "pidfile" : "log-file"}=${directory}/${name}.${kind}`,
    );
    const all = [...args, ...files, `--unixctl=${directory}/${name}.ctl`, "-vconsole:off", "--detach", "--no-chdir"];
    const env = { OVN_RUNDIR: directory, OVS_RUNDIR: directory };
    return run("ip", within(this.namespace, program, all), { env });
  }
}

/** The words of ovn-nbctl that make a Pod's logical port. */
function addPort(logicalSwitch: string, { logicalPort, mac, address, address6 }: LabPod): string[] {
  return [
    ...["lsp-add", logicalSwitch, logicalPort],
    ...["--", "lsp-set-addresses", logicalPort, `${mac} ${address} ${address6}`],
  ];
}
