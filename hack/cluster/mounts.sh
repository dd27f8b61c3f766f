# What a node sees of the file system. Run by node.ts through `sh -euc` in the node's network namespace and a new, private
# mount namespace; stays as the process that holds it. $1 is the node's directory in the cluster's state.

# Its own network devices in /sys, and in it the machine's cgroups.
mount --rbind /sys/fs/cgroup "$1/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$1/cgroup" /sys/fs/cgroup
umount --lazy "$1/cgroup"

# kubelet wants these values and would set them for the whole machine: let it find them.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file="/proc/sys/${setting%=*}"
  [ -e "$file" ] || continue
  mkdir -p "$1/sysctl/$(dirname "${setting%=*}")"
  echo "${setting#*=}" >"$1/sysctl/${setting%=*}"
  mount --bind "$1/sysctl/${setting%=*}" "$file"
done

# Sockets, network namespaces and locks of its own. Shared: containers see what is mounted here later.
mount --make-rshared /
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/openvswitch /run/ovn /run/netns /run/containerd /run/lock
mount --make-rshared /run

mkdir -p /var/lib/kubelet /var/lib/containerd /var/lib/cni /etc/cni/net.d
mount --bind "$1/kubelet" /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
mount --bind "$1/containerd" /var/lib/containerd
mount --bind "$1/cni" /var/lib/cni
mount --bind "$1/cni-conf" /etc/cni/net.d
mount --bind "$1/log" /var/log
mkdir -p /var/log/pods /var/log/containers

touch "$1/mounted"
exec sleep infinity
