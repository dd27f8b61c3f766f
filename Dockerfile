# The one image: admission, controller and node programmer, told apart by the command.
#   admission, controller   node /app/main.js admission|controller
#   node programmer         node /app/node-programmer.js
# Its context is the repository after `npm run image -- --bundle-only`, which writes dist/ (docs/decisions/0001-own-bundle.md):
# two bundled files, no node_modules. The bundle is copied last, so that a change of code rebuilds one layer only.
FROM node:24-bookworm-slim

LABEL org.opencontainers.image.title="ovs-traffic-control" \
      org.opencontainers.image.description="Taps and steers Pod traffic on Kubernetes clusters whose Pods hang on Open vSwitch" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"

# ovs-ofctl and ovs-appctl are in openvswitch-common, whose dependencies on Python and the openssl program are those of
# scripts that nobody calls here: it is installed without them (35 MB, and two interpreters less in a privileged Pod).
# Its libraries are named one by one; the last line fails the build if one is missing. ip is in iproute2, nsenter in the base.
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends iproute2 libbpf1 libcap-ng0 libnuma1 libssl3 libunbound8 libxdp1; \
    cd /tmp; apt-get download -q openvswitch-common; dpkg --force-depends --install openvswitch-common_*.deb; \
    rm -rf /tmp/* /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log; \
    ovs-ofctl --version; ovs-appctl --version; ip -V; nsenter --version

WORKDIR /app
# nonroot of the distroless images. The node programmer's Pod runs as root: it opens the host's Open vSwitch sockets.
USER 65532:65532
# The warning is about a module that kubernetes-fluent-client's HTTP client still uses.
ENV NODE_ENV=production NODE_OPTIONS=--disable-warning=DEP0040
# Exec form: Node is process 1 and gets SIGTERM itself.
ENTRYPOINT ["node"]
CMD ["/app/main.js", "controller"]
COPY dist/ /app/
