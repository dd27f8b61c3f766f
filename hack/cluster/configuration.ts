/** The files that a node's programs read. Pure; node.ts writes them. */
import path from "node:path";
import { PAUSE_IMAGE } from "./images";
import type { PodNetwork } from "./network";
import { podGateway, podSubnet, type Places } from "./places";

/** containerd's, in the version of its format that 1.6, 1.7 and 2 understand. */
export function containerdConfiguration(cniPlugins: string): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${PAUSE_IMAGE}"
# Lowering a score needs CAP_SYS_RESOURCE, which is not everywhere.
restrict_oom_score_adj = true
tolerate_missing_hugetlb_controller = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${cniPlugins}"
conf_dir = "/etc/cni/net.d"
`;
}

export function cniConfiguration(index: number, network: PodNetwork): string {
  const { firstAddress, ...ports } = network.plugin(index);
  const ipam = { type: "host-local", subnet: podSubnet(index), rangeStart: firstAddress, gateway: podGateway(index) };
  const plugins = [{ type: "ovs-bridge", bridge: "br-int", mtu: 1400, ...ports, ipam }];
  return JSON.stringify({ cniVersion: "1.0.0", name: "ovs", plugins }, undefined, 2);
}

export function kubeletConfiguration(places: Places, node: string): string {
  return JSON.stringify(
    {
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      failCgroupV1: false,
      cgroupDriver: "cgroupfs",
      cgroupRoot: `/${places.cgroup}/${node}`,
      // As everywhere; off, kubelet 1.36.4 dies (doPodResizeAction) of a Pod with limits whose image cannot be pulled.
      cgroupsPerQOS: true,
      enforceNodeAllocatable: [],
      oomScoreAdj: 0,
      failSwapOn: false,
      maxPods: 250,
      // The machine's disk is nobody's business here: no image is collected, no Pod evicted because it is full.
      imageGCHighThresholdPercent: 100,
      localStorageCapacityIsolation: false,
      evictionHard: {
        "nodefs.available": "0%",
        "imagefs.available": "0%",
        "nodefs.inodesFree": "0%",
        "memory.available": "1Mi",
      },
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: true },
        x509: { clientCAFile: path.join(places.pki, "ca.crt") },
      },
      authorization: { mode: "Webhook" },
      containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
      resolvConf: "",
      tlsCertFile: path.join(places.pki, `${node}.crt`),
      tlsPrivateKeyFile: path.join(places.pki, `${node}.key`),
      nodeStatusUpdateFrequency: "2s",
      makeIPTablesUtilChains: false,
      volumePluginDir: "/var/lib/kubelet/volumeplugins",
    },
    undefined,
    2,
  );
}
