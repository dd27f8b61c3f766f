/** A node of the lab: a network namespace with an Open vSwitch of its own. Made by Lab. */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { Appctl, OpenFlow } from "../../../packages/ovs-ofctl-wrapper/src/index";
import type { OvsOptions } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { PATIENCE_FACTOR } from "../patience";
import { attempt, ip, run, within } from "./command";
import type { Output } from "./command";
import { DATAPATH, IN_KERNEL } from "./datapath";
import { alive } from "./place";

const SHARED = "/usr/share/openvswitch";
const SCHEMA = `${SHARED}/vswitch.ovsschema`;
const OVS_CTL = `${SHARED}/scripts/ovs-ctl`;
/** Until a command of Open vSwitch gives up. */
const SECONDS = 10 * PATIENCE_FACTOR;

type NodeDaemon = "ovs-vswitchd" | "ovsdb-server" | "ovn-controller";

export class LabNode {
  /** Address on the underlay: on br-phy's own port, as Open vSwitch's userspace tunnels need it, or simply on eth0. */
  readonly address: string;
  readonly address6: string;
  /** Run directory of this node's Open vSwitch. */
  readonly runDir: string;
  readonly options: OvsOptions;
  readonly openflow: OpenFlow;
  readonly appctl: Appctl;

  constructor(
    readonly name: string,
    readonly namespace: string,
    directory: string,
    private readonly index: number,
  ) {
    this.address = `172.31.0.${index}`;
    this.address6 = `fd31::${index.toString(16)}`;
    this.runDir = path.join(directory, name);
    this.options = { runDir: this.runDir, timeoutSeconds: SECONDS };
    this.openflow = new OpenFlow(this.options);
    this.appctl = new Appctl(this.options);
  }

  /** For OVN: an empty br-int, and br-phy, whose address the tunnels have. `remote`: of the southbound database. */
  async startOnOvn(remote: string): Promise<void> {
    await this.start({ standalone: false });
    await this.vsctl(
      ...["set", "Open_vSwitch", ".", `external_ids:ovn-remote=${remote}`, "external_ids:ovn-encap-type=geneve"],
      ...[`external_ids:ovn-encap-ip=${this.address}`, `external_ids:ovn-bridge-datapath-type=${DATAPATH}`],
    );
    await this.startOvnController();
  }

  async startOvnController(): Promise<void> {
    await this.daemon("ovn-controller", [`unix:${this.runDir}/db.sock`]);
  }

  /**
   * Starts the daemons and builds br-int, with the uplink eth1 to the other nodes, and on the userspace datapath br-phy,
   * with the uplink eth0 and the node's address. On the kernel's datapath tunnels take the kernel's routes.
   */
  async start({ standalone = true } = {}): Promise<void> {
    await mkdir(this.runDir, { recursive: true });
    await run("ovsdb-tool", ["create", `${this.runDir}/conf.db`, SCHEMA]);
    await this.startDatabase();
    await this.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", `external_ids:system-id=${this.name}`);
    await this.startVswitchd();
    const settings = [`datapath_type=${DATAPATH}`, "fail_mode=standalone"];
    const inside = standalone
      ? [...settings, "--", "add-port", "br-int", "eth1"]
      : [`datapath_type=${DATAPATH}`, "fail_mode=secure"];
    const phy = ["add-br", "br-phy", "--", "set", "bridge", "br-phy", ...settings, "--", "add-port", "br-phy", "eth0"];
    await this.vsctl(
      ...(IN_KERNEL ? [] : [...phy, "--"]),
      ...["add-br", "br-int", "--", "set", "bridge", "br-int", ...inside],
    );
    const device = IN_KERNEL ? "eth0" : "br-phy";
    await ip(this.namespace, [
      `link set ${device} up`,
      `addr add ${this.address}/24 dev ${device}`,
      `addr add ${this.address6}/64 dev ${device} nodad`,
      "link set br-int up",
    ]);
  }

  async startVswitchd(): Promise<void> {
    await this.daemon("ovs-vswitchd", [`unix:${this.runDir}/db.sock`]);
  }

  async startDatabase(): Promise<void> {
    await this.daemon("ovsdb-server", [`${this.runDir}/conf.db`, `--remote=punix:${this.runDir}/db.sock`]);
  }

  /** Kills ovs-vswitchd as a crash would and waits until it has gone. Flows are lost, ports in OVSDB stay. */
  async killVswitchd(): Promise<void> {
    await this.kill("ovs-vswitchd");
  }

  /** Kills a daemon as a crash would and waits until it has gone. */
  async kill(daemon: NodeDaemon): Promise<void> {
    const pid = this.pid(daemon);
    process.kill(pid, "SIGKILL");
    while (alive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /**
   * Restarts both daemons as a distribution does, by ovs-ctl(8), which saves the flows before and puts them back after. It
   * knows the daemons by the pid files of this node's run directory and touches no other. Without what is the machine's: its
   * name, memory locks, kernel modules (it would load Open vSwitch's, and may remove that of bridges) and scratch directory.
   */
  async restart(): Promise<string> {
    const options = [`--system-id=${this.name}`, "--no-monitor", "--no-mlockall", "--no-record-hostname"];
    const shared = path.join(this.runDir, "share");
    await mkdir(path.join(shared, "scripts"), { recursive: true });
    for (const file of ["vswitch.ovsschema", "scripts/ovs-lib", "scripts/ovs-save"])
      if (!existsSync(path.join(shared, file))) await symlink(path.join(SHARED, file), path.join(shared, file));
    await writeFile(path.join(shared, "scripts/ovs-kmod-ctl"), "#!/bin/sh\n", { mode: 0o755 });
    const own = { OVS_SYSCONFDIR: this.runDir, OVS_PKGDATADIR: shared, TMPDIR: this.runDir };
    const env = { ...this.environment(), ...own };
    // It waits up to 70 s for a daemon to end.
    const settings = { env, timeout: 150_000 };
    return run("ip", within(this.namespace, OVS_CTL, [...options, "restart"]), settings);
  }

  pid(daemon: NodeDaemon): number {
    return Number(readFileSync(`${this.runDir}/${daemon}.pid`, "utf8"));
  }

  /** ovs-vsctl on this node's database; has to succeed. Its output without the trailing line break. */
  async vsctl(...args: string[]): Promise<string> {
    return (await run("ovs-vsctl", ["-t", String(SECONDS), ...args], { env: this.environment() })).trimEnd();
  }

  /** ovs-ofctl on this node; has to succeed. */
  ofctl(...args: string[]): Promise<string> {
    const all = ["-t", String(SECONDS), "-O", "OpenFlow13,OpenFlow14,OpenFlow15", ...args];
    return run("ovs-ofctl", all, { env: this.environment() });
  }

  /** A command in the node's network namespace; has to succeed. */
  exec(command: string, ...args: string[]): Promise<string> {
    return run("ip", within(this.namespace, command, args), { env: this.environment() });
  }

  /** The same, with its exit code. */
  attempt(command: string, ...args: string[]): Promise<Output> {
    return attempt("ip", within(this.namespace, command, args), { env: this.environment() });
  }

  /** OpenFlow port number of an interface. */
  async ofport(name: string): Promise<number> {
    const ofport = Number(
      await this.vsctl("wait-until", "interface", name, "ofport>0", "--", "get", "interface", name, "ofport"),
    );
    if (!(ofport > 0)) throw new Error(`${name} on ${this.name} has no OpenFlow port`);
    return ofport;
  }

  environment(): NodeJS.ProcessEnv {
    const { runDir } = this;
    return { OVS_RUNDIR: runDir, OVS_LOGDIR: runDir, OVS_DBDIR: runDir, OVN_RUNDIR: runDir, OVN_LOGDIR: runDir };
  }

  private daemon(program: string, args: string[]): Promise<string> {
    const files = [`--pidfile=${this.runDir}/${program}.pid`, `--log-file=${this.runDir}/${program}.log`];
    return this.exec(program, ...args, ...files, "-vconsole:off", "--detach", "--no-chdir");
  }
}
