# The one image: admission, controller and node programmer, told apart by the command.
#   admission, controller   node /app/main.js admission|controller
#   node programmer         node /app/node-programmer.js
# It has four programs and what they load, and neither a shell nor a package manager: what the programmer calls is all that
# somebody who gets into one of its containers finds there. Its context is the repository after `npm run image --
# --bundle-only`, which writes dist/ (docs/decisions/0001-own-bundle.md): two bundled files, no node_modules. The bundle is
# copied last, so that a change of code rebuilds one layer only.
FROM node:24-bookworm-slim AS files

# ovs-ofctl is in openvswitch-common, whose dependencies on Python and the openssl program are those of scripts that nobody
# calls here: it is installed without them, its libraries are named one by one. ip is in iproute2, nsenter in the base.
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends iproute2 libbpf1 libcap-ng0 libnuma1 libssl3 libunbound8 libxdp1; \
    cd /tmp; apt-get download -q openvswitch-common; dpkg --force-depends --install openvswitch-common_*.deb; \
    rm -rf /tmp/* /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

# The programs, the libraries that ldd finds, and of the packages that these are from the licences and the paragraphs of dpkg's
# status, from which the bill of materials is made. The last lines fail the build if anything is missing.
RUN set -eu; image=/image; mkdir -p $image/usr/bin $image/usr/lib $image/etc $image/var/lib/dpkg; mkdir -m 1777 $image/tmp; \
    for link in bin sbin lib; do ln -s usr/$link $image/$link; done; ln -s bin $image/usr/sbin; \
    if [ -e /lib64 ]; then ln -s usr/lib64 $image/lib64; fi; \
    for program in node ovs-ofctl ip nsenter; do \
      file="$(command -v $program)"; cp -L "$file" $image/usr/bin/; echo "$file"; \
      ldd "$file" | sed -nE 's/^[^/]*(\/[^ ]+) \(0x[0-9a-f]+\)$/\1/p'; \
    done | sort -u > /tmp/files; \
    grep '/lib' /tmp/files | while read -r file; do \
      directory="$image$(realpath "$(dirname "$file")")"; mkdir -p "$directory"; cp -L "$file" "$directory/"; \
    done; \
    while read -r file; do \
      real="$(realpath "$file")"; \
      # Packages say /lib/… and /bin/… for what is in /usr now.
      dpkg --search "$file" "$real" "/usr$file" "${real#/usr}" 2>/dev/null | sed 's/:.*//'; \
    done < /tmp/files > /tmp/owners; \
    sort -u /tmp/owners > /tmp/packages; \
    while read -r package; do \
      dpkg --status "$package" >> $image/var/lib/dpkg/status; echo >> $image/var/lib/dpkg/status; \
      mkdir -p "$image/usr/share/doc/$package"; cp -L "/usr/share/doc/$package/copyright" "$image/usr/share/doc/$package/"; \
    done < /tmp/packages; \
    echo 'root:x:0:0:root:/:' > $image/etc/passwd; echo 'nonroot:x:65532:65532:nonroot:/:' >> $image/etc/passwd; \
    echo 'root:x:0:' > $image/etc/group; echo 'nonroot:x:65532:' >> $image/etc/group; \
    cp /etc/nsswitch.conf /etc/os-release $image/etc/; \
    for called in 'ovs-ofctl --version' 'ip -V' 'nsenter --version' 'node --version'; do chroot $image $called; done

FROM scratch

LABEL org.opencontainers.image.title="ovs-traffic-control" \
      org.opencontainers.image.description="Taps and steers Pod traffic on Kubernetes clusters whose Pods hang on Open vSwitch" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=files /image/ /

WORKDIR /app
# nonroot of the distroless images. The node programmer's Pod runs as root: it opens the host's Open vSwitch sockets.
USER 65532:65532
# The warning is about a module that kubernetes-fluent-client's HTTP client still uses.
ENV PATH=/usr/bin NODE_ENV=production NODE_OPTIONS=--disable-warning=DEP0040
# Exec form: Node is process 1 and gets SIGTERM itself.
ENTRYPOINT ["node"]
CMD ["/app/main.js", "controller"]
COPY dist/ /app/
