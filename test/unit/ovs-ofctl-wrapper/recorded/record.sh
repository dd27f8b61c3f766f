#!/bin/sh
# Writes VERSION.txt beside this script: what the Open vSwitch in the PATH prints for everything that this project parses,
# each part under a line "@ command". parsers.test.ts reads it. Another version than the machine's:
#
#   PATH=$(test/support/other-ovs.sh jammy):$PATH test/unit/ovs-ofctl-wrapper/recorded/record.sh
#
# Everything happens in a network namespace and a run directory of its own, with packets that ovs-appctl injects. Needs root.
set -eu
here=$(dirname "$(readlink -f "$0")")
if [ "${RECORDING:-}" = "" ]; then
  RECORDING=$(mktemp -d) && export RECORDING
  trap 'rm -rf "$RECORDING"' EXIT
  unshare --net "$0"
  version=$(ovs-ofctl --version | sed -n 's/.*) //p')
  mv "$RECORDING/output" "$here/$version.txt"
  echo "$here/$version.txt"
  exit
fi

export OVS_RUNDIR="$RECORDING" LC_ALL=C
trap 'kill $(cat "$RECORDING"/*.pid)' EXIT
daemon() { program=$1 && shift && "$program" "$@" --pidfile --log-file="$RECORDING/$program.log" -vconsole:off --detach --no-chdir; }
for schema in "$(dirname "$(command -v ovs-ofctl)")/../system/usr/share/openvswitch" /usr/share/openvswitch; do
  if [ -e "$schema/vswitch.ovsschema" ]; then break; fi
done
ovsdb-tool create "$RECORDING/conf.db" "$schema/vswitch.ovsschema"
daemon ovsdb-server "$RECORDING/conf.db" --remote="punix:$RECORDING/db.sock"
ovs-vsctl -t 10 --no-wait init
daemon ovs-vswitchd "unix:$RECORDING/db.sock"

exec 3>"$RECORDING/output"
# record TITLE COMMAND…: what it says on both outputs, whatever its exit code.
record() {
  echo "@ $1" >&3
  shift
  "$@" >&3 2>&1 || true
}
switch=unix:$RECORDING/br-int.mgmt
V=OpenFlow13,OpenFlow14,OpenFlow15
ofctl() { ovs-ofctl -t 10 -O "$V" --no-names "$@"; }

sysctl -qw net.ipv6.conf.default.disable_ipv6=1 # the kernel's own packets would be counted
ip link set lo up
ovs-vsctl -t 10 add-br br-int -- set bridge br-int datapath_type=netdev fail_mode=secure other-config:hwaddr=02:00:00:00:00:01 \
  -- add-port br-int int1 -- set interface int1 type=internal ofport_request=1 \
  -- add-port br-int vx2 -- set interface vx2 type=vxlan options:remote_ip=10.0.10.2 options:key=7 ofport_request=2 \
  -- add-port br-int er3 -- set interface er3 type=erspan options:remote_ip=10.0.10.3 options:key=7 options:erspan_ver=1 options:erspan_idx=0x5 ofport_request=3 \
  -- add-port br-int absent4 -- set interface absent4 ofport_request=4
ip address add 10.0.10.1/24 dev br-int
ip link set br-int up
ovs-ofctl -t 10 -O OpenFlow10 mod-port "$switch" int1 no-flood

# The monitors as the wrapper starts them where OpenFlow 1.5 is not spoken, and by OpenFlow 1.0, which is the only one that
# Open vSwitch 2.17 can watch by. The changes below are what they tell.
monitors=
for versions in OpenFlow13,OpenFlow14 OpenFlow10; do
  ovs-ofctl -O $versions --no-names --unixctl=none -- monitor "$switch" 'watch:!initial' >"$RECORDING/$versions" 2>&1 &
  monitors="$monitors $!"
  until grep -q "FLOW_MONITOR reply\|none of the usable" "$RECORDING/$versions"; do sleep 0.1; done
done

cat >"$RECORDING/flows" <<'FLOWS'
table=0,priority=65535,cookie=0x5443000000000001,reg14=0/0x1,actions=goto_table:240
table=0,priority=200,cookie=0x5443000000000001,in_port=1,dl_vlan=20,dl_vlan_pcp=3,actions=pop_vlan,output:LOCAL
table=0,priority=190,cookie=0x5443000000000002,in_port=LOCAL,vlan_tci=0/0x1fff,actions=NORMAL
table=0,priority=180,ip,nw_src=10.9.0.0/16,nw_frag=later,actions=resubmit(,240)
table=0,priority=170,icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1,actions=FLOOD
table=0,priority=160,ipv6,ipv6_src=fd09::/64,actions=move:NXM_NX_REG12[0..15]->NXM_NX_REG13[16..31],IN_PORT
table=0,priority=150,tcp,tp_dst=0x50/0xfff0,tcp_flags=+syn-ack,actions=load:0x7->NXM_NX_REG1[0..3],set_field:5->reg2,output:NXM_NX_REG2[]
table=0,priority=140,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=push_vlan:0x8100,set_field:4116->vlan_vid,output:2
table=0,priority=130,arp,arp_op=1,actions=CONTROLLER:65535
table=240,priority=100,cookie=0x5443000000000003,importance=5,idle_timeout=60,hard_timeout=100,send_flow_rem,reg12=0x1,reg13=0x2,actions=output:1,learn(table=245,idle_timeout=300,priority=100,cookie=0x54430009,limit=4096,NXM_OF_ETH_SRC[],NXM_OF_VLAN_TCI[0..11],load:NXM_OF_IN_PORT[]->NXM_OF_IN_PORT[]),LOCAL
table=240,priority=90,cookie=0x5443000000000003,ct_state=+trk+est,ct_mark=0x1/0x1,ip,actions=ct(commit,zone=NXM_NX_REG0[0..15],exec(load:0x1->NXM_NX_CT_MARK[0])),clone(output:3)
table=240,actions=drop
FLOWS
ofctl --bundle add-flows "$switch" "$RECORDING/flows"
ofctl mod-flows "$switch" 'table=0,arp,arp_op=1,actions=drop'
ofctl add-flow "$switch" 'table=9,cookie=0x9,hard_timeout=1,actions=drop'
until grep -q "reason=hard" "$RECORDING/OpenFlow10"; do sleep 0.1; done
ofctl add-flow "$switch" 'table=9,cookie=0xa,ip,actions=drop'
ofctl --strict del-flows "$switch" 'table=9,priority=32768,ip'
until grep -q "reason=delete" "$RECORDING/OpenFlow10"; do sleep 0.1; done
kill $monitors || true
wait

# One packet through the tables, and one in VLAN 20 that the bridge learns from.
packet=020000000001020000000042%s080045000014000000004001265b0a09000b0a09000c0000000000000000000000000000000000000000000000000000
ofctl packet-out "$switch" "in_port=1,packet=$(printf "$packet" ''),actions=resubmit(,0)"
ofctl packet-out "$switch" "in_port=1,packet=$(printf "$packet" 81000014),actions=NORMAL"
ovs-appctl tnl/neigh/set br-int 10.0.10.2 02:00:00:00:00:99 >/dev/null

record "dump-flows" ofctl dump-flows "$switch"
record "dump-flows OpenFlow13" ovs-ofctl -t 10 -O OpenFlow13 --no-names dump-flows "$switch"
record "dump-aggregate" ofctl dump-aggregate "$switch" table=240
record "dump-ports-desc" ofctl dump-ports-desc "$switch"
record "dump-ports-desc OpenFlow10" ovs-ofctl -t 10 -O OpenFlow10 --no-names dump-ports-desc "$switch"
record "dump-tables" ofctl dump-tables "$switch"
record "monitor" sed '/fatal_signal/d' "$RECORDING/OpenFlow13,OpenFlow14"
record "monitor OpenFlow10" sed '/fatal_signal/d' "$RECORDING/OpenFlow10"
printf 'add table=1,actions=drop\nadd table=1,nonsense=1,actions=drop\n' >"$RECORDING/faulty"
record "add-flows with a fault in line 2" ofctl --bundle add-flows "$switch" - <"$RECORDING/faulty"
record "fdb/show" ovs-appctl fdb/show br-int
record "route/lookup" ovs-appctl ovs/route/lookup 10.0.10.2
record "route/lookup without a way" ovs-appctl ovs/route/lookup 192.0.2.1
record "tnl/neigh/show" ovs-appctl tnl/neigh/show
select='["Open_vSwitch",{"op":"select","table":"Interface","where":[["name","!=","br-int"]],"columns":["name","ofport","error","options","type"]}]'
record "transact" ovsdb-client -t 10 transact "unix:$RECORDING/db.sock" "$select"
# Of the schema only the columns' types.
record "get-schema" sh -c 'ovsdb-client -t 10 get-schema "unix:$RECORDING/db.sock" | python3 -c "
import json, sys
schema = json.load(sys.stdin)
columns = lambda table: {name: {\"type\": column[\"type\"]} for name, column in table[\"columns\"].items()}
tables = [\"Open_vSwitch\", \"Bridge\", \"Port\", \"Interface\"]
print(json.dumps({\"version\": schema[\"version\"], \"tables\": {name: {\"columns\": columns(schema[\"tables\"][name])} for name in tables}}))"'
