# The ports of a bridge that switches, marked as ovs-cni does. Read by ovs-bridge, whose variables and functions it uses.

# A part of the container's id is unique enough for a node, and short enough for an interface.
name_port() { printf 'veth%.11s' "${CNI_CONTAINERID:-}"; }

connect_port() {
  ovs-vsctl -t 10 -- --may-exist add-port "$bridge" "$port" -- set Port "$port" \
    external_ids:contPodUid="$(arg K8S_POD_UID)" external_ids:contNetns="$CNI_NETNS" \
    external_ids:contIface="$CNI_IFNAME" external_ids:owner=ovs-cni.network.kubevirt.io
}

disconnect_port() { :; }
