#!/bin/sh
# Another version of Open vSwitch beside the machine's own, unpacked from a distribution's packages and not installed:
#
#   PATH=$(test/support/other-ovs.sh jammy):$PATH npx mocha --config test/lab/.mocharc.json --grep 'wrapper'
#
# runs a lab on Ubuntu 22.04's. Prints the folder with its programs; each runs with the libraries it was built for. For
# those who change ovs-ofctl-wrapper; test/unit/ovs-ofctl-wrapper/recorded/record.sh is run the same way. Needs root and
# mmdebstrap, for Ubuntu also its keys (KEYRING, as in Debian's package ubuntu-archive-keyring). Nothing of the gate calls it.
#
# $1: a release of Debian (bookworm, trixie, sid) or Ubuntu (jammy, noble).
set -eu
suite=$1
root=${XDG_CACHE_HOME:-$HOME/.cache}/ovs-traffic-control/ovs-$suite
if [ ! -e "$root/bin" ]; then
  rm -rf "$root"
  mkdir -p "$root"
  case $suite in
  jammy | noble)
    mirror=http://archive.ubuntu.com/ubuntu
    set -- --keyring="${KEYRING:-/usr/share/keyrings/ubuntu-archive-keyring.gpg}" "$suite" "$root/system" \
      "deb $mirror $suite main universe" "deb $mirror $suite-updates main universe"
    ;;
  *) set -- "$suite" "$root/system" "${DEBIAN_MIRROR:-http://deb.debian.org}/debian" ;;
  esac
  mmdebstrap --quiet --mode=root --variant=extract --include=openvswitch-switch "$@" >&2
  mkdir "$root/making"
  # What is unpacked and not installed has no links from /lib to /usr/lib.
  libraries=$root/system/lib/x86_64-linux-gnu:$root/system/usr/lib/x86_64-linux-gnu
  loader=$(find "$root/system/lib" "$root/system/usr/lib" -name ld-linux-x86-64.so.2 2>/dev/null | head -n 1)
  for program in ovs-vswitchd ovs-vsctl ovs-ofctl ovs-appctl ovsdb-server ovsdb-client ovsdb-tool; do
    # Debian leaves the daemon's place to its alternatives, which only an installation sets up.
    for folder in lib/openvswitch-switch sbin bin; do
      file=$root/system/usr/$folder/$program
      if [ -x "$file" ]; then break; fi
    done
    cat >"$root/making/$program" <<PROGRAM
#!/bin/sh
exec $loader --argv0 $program --library-path $libraries $file "\$@"
PROGRAM
    chmod +x "$root/making/$program"
  done
  mv "$root/making" "$root/bin"
fi
echo "$root/bin"
