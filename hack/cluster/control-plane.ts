/** The machine that the control plane runs on: a network namespace with the nodes' underlay, etcd and the API server. */
import path from "node:path";
import type { Binaries } from "../toolchain";
import type { Api } from "./api";
import { CONTROL_PLANE, processesIn } from "./cgroups";
import { addNamespace, namespaceExists, script } from "./namespaces";
import { MACHINE_ADDRESS, SERVICE_NETWORK, type Places } from "./places";
import { ensure, killAll, until, type Program } from "./programs";

/** The namespace, its bridge ul0, and forwarding between the nodes, the Pods and whoever joins the bridge. */
export async function makeMachine({ machineNamespace, cgroup }: Places): Promise<void> {
  // Whatever still runs is in a namespace that nobody can reach any more.
  if (!namespaceExists(machineNamespace)) await killAll(processesIn(path.join(cgroup, CONTROL_PLANE)));
  await addNamespace(machineNamespace);
  await script(
    "Making the underlay",
    { network: machineNamespace },
    `ip link set lo up
     ip link show ul0 >/dev/null 2>&1 || ip link add ul0 type bridge
     ip address replace ${MACHINE_ADDRESS}/24 dev ul0
     ip link set ul0 up
     ethtool -K ul0 tx off >/dev/null
     cd /proc/sys/net/ipv4
     echo 1 >ip_forward; echo 0 >conf/all/rp_filter; echo 0 >conf/default/rp_filter; echo 0 >conf/ul0/rp_filter`,
  );
}

export async function startEtcd(places: Places, binaries: Binaries): Promise<void> {
  const data = path.join(places.state, "etcd");
  await ensure(places, {
    name: "etcd",
    group: CONTROL_PLANE,
    network: places.machineNamespace,
    // The cluster does not survive a reboot anyhow.
    argv: [binaries.etcd, "--name", "default", "--data-dir", data, "--unsafe-no-fsync", "--log-level", "warn"],
  });
}

export async function startApiServer(places: Places, binaries: Binaries): Promise<void> {
  const pki = (file: string): string => path.join(places.pki, file);
  await ensure(places, {
    name: "kube-apiserver",
    group: CONTROL_PLANE,
    network: places.machineNamespace,
    argv: [
      binaries["kube-apiserver"],
      "--etcd-servers=http://127.0.0.1:2379",
      `--advertise-address=${MACHINE_ADDRESS}`,
      "--secure-port=6443",
      `--tls-cert-file=${pki("apiserver.crt")}`,
      `--tls-private-key-file=${pki("apiserver.key")}`,
      `--client-ca-file=${pki("ca.crt")}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged",
      `--service-cluster-ip-range=${SERVICE_NETWORK}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${pki("sa.pub")}`,
      `--service-account-signing-key-file=${pki("sa.key")}`,
      `--kubelet-client-certificate=${pki("kubelet-client.crt")}`,
      `--kubelet-client-key=${pki("kubelet-client.key")}`,
      `--kubelet-certificate-authority=${pki("ca.crt")}`,
      "--kubelet-preferred-address-types=InternalIP",
      // Webhooks are called at the address of the endpoint: there is no kube-proxy beside the API server.
      "--enable-aggregator-routing",
    ],
  });
}

export async function apiServerReady(places: Places, api: Api): Promise<void> {
  await until(places, "the API server is ready", "kube-apiserver", () => api.ready());
}

/** Both need an API server that answers, and end if there is none. */
export async function startControllers(places: Places, binaries: Binaries): Promise<void> {
  const controller = (name: "kube-controller-manager" | "kube-scheduler", extra: string[]): Program => {
    const kubeconfig = path.join(places.pki, `${name.slice("kube-".length)}.kubeconfig`);
    const access = ["", "authentication-", "authorization-"].map((kind) => `--${kind}kubeconfig=${kubeconfig}`);
    const argv = [binaries[name], ...access, "--leader-elect=false", ...extra];
    return { name, group: CONTROL_PLANE, network: places.machineNamespace, argv };
  };
  await ensure(
    places,
    controller("kube-controller-manager", [
      `--service-account-private-key-file=${path.join(places.pki, "sa.key")}`,
      `--root-ca-file=${path.join(places.pki, "ca.crt")}`,
      "--use-service-account-credentials",
      "--node-monitor-grace-period=12s",
    ]),
  );
  await ensure(places, controller("kube-scheduler", []));
}
