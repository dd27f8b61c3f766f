# The ports of OVN's bridge, named and marked as OVN-Kubernetes does (go-controller/pkg/cni/helper_linux.go), with the
# logical port that its central part makes (pkg/ovn/base_network_controller_pods.go). Read by ovs-bridge, whose variables
# and functions it uses.

northbound() { ovn-nbctl -t 30 --db="$(printf '%s' "$configuration" | value northbound)" "$@"; }

name_port() { printf '%.15s' "${CNI_CONTAINERID:-}"; }

connect_port() {
  switch=$(printf '%s' "$configuration" | value switch)
  pod_namespace=$(arg K8S_POD_NAMESPACE)
  uid=$(arg K8S_POD_UID)
  logical="${pod_namespace}_$(arg K8S_POD_NAME)"
  # The ports of the Pod's earlier sandboxes that are waiting for their end: only the latest one is the Pod's.
  for stale in $(ovs-vsctl -t 10 --bare --columns=name find Interface external_ids:iface-id="$logical"); do
    ovs-vsctl -t 10 --if-exists del-port "$bridge" "$stale"
  done
  # A new row, never the one of another sandbox or of an earlier Pod of the same name.
  northbound -- --if-exists lsp-del "$logical" \
    -- lsp-add "$switch" "$logical" \
    -- lsp-set-addresses "$logical" "$mac ${address%/*}" \
    -- lsp-set-port-security "$logical" "$mac ${address%/*}" \
    -- lsp-set-options "$logical" requested-chassis="$switch" iface-id-ver="$uid" \
    -- set Logical_Switch_Port "$logical" external_ids:pod=true external_ids:namespace="$pod_namespace" \
    external_ids:sandbox="$CNI_CONTAINERID"
  ovs-vsctl -t 10 -- add-port "$bridge" "$port" other_config:transient=true -- set Interface "$port" \
    external_ids:attached_mac="$mac" external_ids:iface-id="$logical" external_ids:iface-id-ver="$uid" \
    external_ids:ip_addresses="$address" external_ids:sandbox="$CNI_CONTAINERID"
  # ovn-controller writes it when the port's flows are in the bridge.
  ovs-vsctl -t 30 wait-until Interface "$port" external_ids:ovn-installed=true ||
    { echo "ovn-controller has not bound the logical port $logical within 30 s" >&2; return 1; }
}

# By the sandbox: the name can be another Pod's by now.
disconnect_port() {
  rows=$(northbound --bare --columns=_uuid find Logical_Switch_Port external_ids:sandbox="$CNI_CONTAINERID") || return
  for row in $rows; do northbound --if-exists lsp-del "$row" || return; done
}
