/** `kubectl trafficcontrol`: the command line. Bundled by hack/plugin into one file, which kubectl finds on the PATH. */
import "./quiet";
import { readFile } from "node:fs/promises";
import { text as textOf } from "node:stream/consumers";
import type { NodeTrafficPlan, TrafficControl } from "@ovs-traffic-control/api";
import { Command, InvalidArgumentError, Option } from "commander";
import type { RawNamespace, RawPod } from "../../../capabilities/selection";
import { version } from "../package.json";
import { capture } from "./capture";
import { explain, explanationText } from "./explain";
import { installationOf } from "./installation";
import { Failure, Kubectl, PLANS, TRAFFIC_CONTROLS, type ConnectionOptions } from "./kubectl";
import { count, FORMATS, structured, type Format } from "./output";
import { manifestsIn, preview, previewText, readDryRun, type DryRun } from "./preview";
import { statusRows, statusText } from "./status";
import { supportBundle } from "./support-bundle";
import { leftovers, uninstall } from "./uninstall";

const EXIT = { failed: 1, usage: 2, interrupted: 130 } as const;
const EXIT_CODES = `
Exit codes: 0 done; 1 failed (preview: it would be refused; uninstall: a node has not confirmed); 2 wrong usage; 130 Ctrl-C.
More: docs/guide/kubectl-plugin.md`;
/** Has tcpdump, for amd64 and arm64. */
const CAPTURE_IMAGE = "docker.io/nicolaka/netshoot:v0.13";

type Common = ConnectionOptions & { namespace?: string; output?: Format };

const interruption = new AbortController();
const program = new Command("kubectl trafficcontrol")
  .description("What ovs-traffic-control does, would do and has done in a cluster.")
  .version(version)
  .addHelpText("after", EXIT_CODES)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT.usage));

function verb(usage: string, description: string, examples: string): Command {
  return program
    .command(usage)
    .description(description)
    .option("--context <name>", "context of the kubeconfig")
    .option("--kubeconfig <file>", "kubeconfig; KUBECONFIG or ~/.kube/config without it")
    .option("--as <user>", "user to impersonate")
    .addHelpText("after", `\nExamples:\n${examples}`);
}

const output = (): Option => new Option("-o, --output <format>", "how to print").choices(FORMATS);
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

verb(
  "status [NAME]",
  "each TrafficControl: whether it is in force, where, how many packets, and what is wrong on which node",
  "  kubectl trafficcontrol status\n  kubectl trafficcontrol status mirror-web-app -o wide",
)
  .addOption(output())
  .action(async (name: string | undefined, { output: format = "table", ...connection }: Common) => {
    const kubectl = new Kubectl(connection);
    const [all, plans] = await Promise.all([
      kubectl.list<TrafficControl>(TRAFFIC_CONTROLS),
      kubectl.list<NodeTrafficPlan>(PLANS),
    ]);
    const asked = name === undefined ? all : all.filter(({ metadata }) => metadata.name === name);
    if (name !== undefined && asked.length === 0) throw new Failure(unknown(name, all));
    const rows = statusRows(asked, plans);
    print(structured({ items: rows }, format) ?? statusText(rows, format));
  });

verb(
  "explain POD",
  "which TrafficControls act on a Pod, through which ports, and why the others do not",
  "  kubectl trafficcontrol explain web-1 -n shop\n  kubectl trafficcontrol explain web-1 -o json",
)
  .option("-n, --namespace <name>", "Namespace of the Pod")
  .addOption(output())
  .action(async (name: string, { output: format = "table", namespace, ...connection }: Common) => {
    const kubectl = new Kubectl(connection);
    const place = namespace ?? (await kubectl.currentNamespace());
    const pod = await kubectl.get<RawPod>("pod", name, "-n", place);
    if (pod === undefined)
      throw new Failure(`There is no Pod ${name} in the Namespace ${place}; name another with -n.`);
    const [found, trafficControls, installation, plan] = await Promise.all([
      kubectl.get<RawNamespace>("namespace", place),
      kubectl.list<TrafficControl>(TRAFFIC_CONTROLS),
      installationOf(kubectl),
      pod.spec.nodeName === undefined ? undefined : kubectl.get<NodeTrafficPlan>(PLANS, pod.spec.nodeName),
    ]);
    if (found === undefined) throw new Failure(`The Namespace ${place} has just gone.`);
    const explanation = explain({ pod, namespace: found, trafficControls, plan, installation });
    print(structured(explanation, format) ?? explanationText(explanation, format));
  });

verb(
  "preview",
  "which Pods, nodes and ports a manifest would concern, what would conflict, what the API server says; changes nothing",
  "  kubectl trafficcontrol preview -f mirror.yaml\n  kustomize build . | kubectl trafficcontrol preview -f -",
)
  .requiredOption("-f, --filename <file>", "manifest; - is standard input")
  .addOption(output())
  .action(async ({ output: format = "table", filename, ...connection }: Common & { filename: string }) => {
    const kubectl = new Kubectl(connection);
    const { trafficControls: manifests, others } = manifestsIn(await contentOf(filename));
    if (manifests.length === 0) throw new Failure(`${filename} has no TrafficControl (crd.antrea.io/v1alpha2) in it.`);
    if (others.length > 0) say(`Not looked at: ${others.join(", ")}.`);
    const dryRuns: DryRun[] = [];
    for (const manifest of manifests) {
      const answer = await kubectl.ask(["apply", "--dry-run=server", "-f", "-"], JSON.stringify(manifest));
      dryRuns.push(readDryRun(manifest, answer));
    }
    const [trafficControls, pods, namespaces, nodes, installation] = await Promise.all([
      kubectl.list<TrafficControl>(TRAFFIC_CONTROLS),
      kubectl.list<RawPod>("pods", "--all-namespaces", "--field-selector", "spec.nodeName!="),
      kubectl.list<RawNamespace>("namespaces"),
      kubectl.list<{ metadata: { name: string; uid: string } }>("nodes"),
      installationOf(kubectl),
    ]);
    const previews = preview(dryRuns, { trafficControls, pods, namespaces, nodes, installation }, new Date());
    print(structured({ items: previews }, format) ?? previewText(previews));
    if (dryRuns.some(({ isAccepted }) => !isAccepted)) process.exitCode = EXIT.failed;
  });

interface CaptureArguments extends Common {
  count: number;
  pod?: string;
  node?: string;
  image: string;
}

verb(
  "capture NAME",
  "the copies of a TrafficControl, decoded, while they leave the nodes; Ctrl-C ends it",
  "  kubectl trafficcontrol capture mirror-web-app\n  kubectl trafficcontrol capture mirror-web-app --pod shop/web-1 --count 20",
)
  .option("-n, --namespace <name>", "where the capturing Pods run; it has to admit Pods in the host's network")
  .addOption(new Option("--count <number>", "end after so many copies").argParser(number).default(Infinity, "no end"))
  .option("--pod <[namespace/]name>", "only copies of this Pod's packets")
  .option("--node <name>", "only on this node")
  .option("--image <image>", "image with tcpdump", CAPTURE_IMAGE)
  .action(async (name: string, { namespace, count: wanted, pod, node, image, ...connection }: CaptureArguments) => {
    const kubectl = new Kubectl(connection);
    const place = namespace ?? (await kubectl.currentNamespace());
    const addresses = pod === undefined ? undefined : await addressesOf(kubectl, pod, place);
    const seen = await capture(kubectl, {
      ...{ name, namespace: place, image, count: wanted, node, addresses, signal: interruption.signal },
      onCopy: (on, { time, packet }) => print(`${time} ${on}  ${packet}`),
      onProgress: say,
    });
    say(`Copies seen: ${seen}.`);
  });

verb(
  "support-bundle",
  "what somebody needs to find a fault from afar, as one file; no Secrets in it",
  "  kubectl trafficcontrol support-bundle -o bundle.tar.gz",
)
  .option("-o, --output <file>", "file to write", "ovs-traffic-control-support.tar.gz")
  .action(async ({ output: file, ...connection }: ConnectionOptions & { output: string }) => {
    const kubectl = new Kubectl(connection);
    const { contents, missing } = await supportBundle(kubectl, await installationOf(kubectl), file);
    print(contents.map((each) => `  ${each}`).join("\n"));
    for (const each of missing) say(`Not in it: ${each}`);
    print(
      `${file}: ${count(contents.length, "file")}, no Secrets. Names and addresses of Pods and nodes are in it: look before you hand it on.`,
    );
  });

interface UninstallArguments extends ConnectionOptions {
  image?: string;
  deadline: number;
  ovsRunDirectory?: string;
  netnsDirectory?: string;
}

verb(
  "uninstall",
  "take away the taps of an operator that is gone: empty all plans, wait for clean bridges, remove the finalizers",
  "  kubectl trafficcontrol uninstall --image registry.example.com/ovs-traffic-control:0.1.0",
)
  .option("--image <image>", "the operator's image; that of a Job that is left, if there is one")
  .addOption(new Option("--deadline <seconds>", "how long nodes may take").argParser(number).default(120))
  .option("--ovs-run-directory <path>", "host path with db.sock, as in the chart's programmer.ovsRunDirectory")
  .option("--netns-directory <path>", "host path with the Pods' network namespaces, as in programmer.netnsDirectory")
  .action(async ({ image, deadline, ovsRunDirectory, netnsDirectory, ...connection }: UninstallArguments) => {
    const kubectl = new Kubectl(connection);
    const unconfirmed = await uninstall(kubectl, {
      ...{ connection, image, deadlineSeconds: deadline, ovsRunDirectory, netnsDirectory },
      ...{ installation: await installationOf(kubectl), onProgress: say },
    });
    if (unconfirmed.length > 0) process.exitCode = EXIT.failed;
    print(
      unconfirmed.length === 0
        ? "Every node has confirmed that nothing of ours is left on it; no TrafficControl has our finalizer."
        : `These nodes have not confirmed: ${unconfirmed.join(", ")}. Run it again when they answer, or clean them by hand (docs/guide/troubleshooting.md).`,
    );
    const left = await leftovers(kubectl);
    if (left.length > 0)
      print(["Still in the cluster; delete what nobody else uses:", ...left.map((each) => `  ${each}`)].join("\n"));
  });

async function contentOf(file: string): Promise<string> {
  if (file === "-") return textOf(process.stdin);
  return readFile(file, "utf8").catch((error: unknown) => {
    throw new Failure(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
}

async function addressesOf(kubectl: Kubectl, pod: string, namespace: string): Promise<string[]> {
  const [name = "", place = namespace] = pod.split("/").reverse();
  const found = await kubectl.get<RawPod>("pod", name, "-n", place);
  const addresses = (found?.status?.podIPs ?? []).map(({ ip }) => ip);
  if (addresses.length > 0) return addresses;
  throw new Failure(
    found === undefined ? `There is no Pod ${place}/${name}.` : `Pod ${place}/${name} has no address yet.`,
  );
}

function unknown(name: string, all: readonly TrafficControl[]): string {
  const names = all.map(({ metadata }) => metadata.name).join(", ");
  return `There is no TrafficControl ${name}; there ${all.length === 0 ? "is none" : `are ${names}`}.`;
}

function number(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a number from 1 on.");
}

for (const name of ["SIGINT", "SIGTERM"] as const)
  process.on(name, () => {
    // A second one does not wait for what is being taken away.
    if (interruption.signal.aborted || process.argv[2] !== "capture") process.exit(EXIT.interrupted);
    process.exitCode = EXIT.interrupted;
    interruption.abort();
  });

program.parseAsync().catch((error: unknown) => {
  say(error instanceof Failure ? error.message : String(error instanceof Error ? error.stack : error));
  process.exitCode ??= EXIT.failed;
});
