/** What the toolchain builds, at which version. A changed version is a new folder in the cache; the old one stays. */
export const VERSIONS = {
  kubernetes: "1.36.4",
  etcd: "3.6.16",
  helm: "3.18.6",
  argoCd: "3.2.11",
  certManager: "1.18.2",
  actionlint: "1.7.7",
  kwok: "0.8.0",
  /** The oldest Go release that the versions above can be built with. */
  go: "1.26",
} as const;

export const KUBERNETES_BINARIES = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
  "kubelet",
  "kubectl",
] as const;
