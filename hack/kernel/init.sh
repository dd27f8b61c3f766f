#!/bin/sh
# The first process of the virtual machine (see image.ts): mounts what the tests need, loads the modules that the kernel
# would not load by itself inside a network namespace, runs the job from the second disk, and switches the machine off.
# Results go to the second serial port, everything else to the first.
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
mount -t proc proc /proc
mount -t sysfs sys /sys 2>/dev/null
mkdir -p /dev/pts /job
mount -t devpts devpts /dev/pts
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /run/netns /run/openvswitch
for module in openvswitch vport_geneve vport_vxlan vport_gre ip_gre ip6_gre veth tun bridge bonding; do
  modprobe $module || echo "The kernel has no module $module."
done
ip link set lo up
mount -o ro /dev/vdb /job
cd /job
node main.mjs </dev/null
echo "{\"exit\":$?}" >/dev/ttyS1
sync
echo o >/proc/sysrq-trigger
sleep 60
