/** Lines as tshark 4.0 prints them → packets. What the lab and end-to-end tests believe about the wire rests on this. */
import assert from "node:assert/strict";
import { parseLine } from "../../support/decode";

/** The columns of decode.ts, by name, as one line. */
function line(fields: Record<string, string>): string {
  const columns = [
    ...["frame.time_epoch", "frame.len", "frame.protocols", "eth.src", "eth.dst", "vlan.id"],
    ...["ip.src", "ip.dst", "ip.id", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport"],
    ...["tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq_raw", "tcp.len"],
    ...["icmp.type", "icmp.seq", "icmpv6.type", "icmpv6.echo.sequence_number"],
    ...["vxlan.vni", "geneve.vni", "gre.key", "erspan.version", "erspan.spanid", "erspan.index"],
    ...["erspan.direction", "erspan.hw", "http.request.method", "http.request.uri", "http.response.code"],
  ];
  return columns.map((column) => fields[column] ?? "").join("\t");
}

const frame = { "frame.time_epoch": "1700000000.123456789", "frame.len": "100" };
const outerAndInner = {
  ...frame,
  "eth.src": "0a:00:00:00:00:0a|0a:00:00:00:00:02",
  "eth.dst": "0a:00:00:00:00:0b|0a:00:00:00:00:01",
  "ip.src": "172.31.0.11|10.244.1.2",
  "ip.dst": "10.0.10.2|10.244.2.3",
  "ip.id": "0x1234|0x0007",
};
const echo = { "icmp.type": "8", "icmp.seq": "5" };
const remote = { source: "172.31.0.11", destination: "10.0.10.2" };

describe("parseLine", () => {
  it("tells the VXLAN header from the echo request in it", () => {
    const protocols = "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:icmp:data";
    const packet = parseLine(
      line({
        ...outerAndInner,
        ...echo,
        "frame.protocols": protocols,
        "udp.srcport": "4000",
        "udp.dstport": "4789",
        "vxlan.vni": "5001",
      }),
    );
    assert.deepEqual(packet.tunnel, { kind: "vxlan", ...remote, udpPort: 4789, vni: 5001 });
    assert.deepEqual(packet.inner, {
      sourceMAC: "0a:00:00:00:00:02",
      destinationMAC: "0a:00:00:00:00:01",
      protocol: "icmp",
      source: "10.244.1.2",
      destination: "10.244.2.3",
      id: 7,
      icmpType: 8,
      sequence: 5,
    });
    assert.equal(Math.round((packet.time - 1700000000) * 1e6), 123457);
  });

  it("reads a hexadecimal Geneve VNI and the HTTP request in a TCP segment", () => {
    const packet = parseLine(
      line({
        ...outerAndInner,
        "frame.protocols": "eth:ethertype:ip:udp:geneve:eth:ethertype:ip:tcp:http",
        "udp.srcport": "4000",
        "udp.dstport": "6081",
        "geneve.vni": "0xffffff",
        "tcp.srcport": "40000",
        "tcp.dstport": "80",
        "tcp.flags": "0x0018",
        "tcp.seq_raw": "4294967295",
        "tcp.len": "19",
        "http.request.method": "GET",
        "http.request.uri": "/a?b=c,d",
      }),
    );
    assert.equal(packet.tunnel?.vni, 16777215);
    assert.equal(packet.inner.destinationPort, 80);
    assert.equal(packet.inner.flags, "PSH,ACK");
    assert.equal(packet.inner.sequence, 4294967295);
    assert.equal(packet.inner.http, "GET /a?b=c,d");
  });

  it("keeps a GRE key of 32 bits and notices that there is none", () => {
    const protocols = "eth:ethertype:ip:gre:eth:ethertype:ip:icmp:data";
    const withKey = parseLine(
      line({ ...outerAndInner, ...echo, "frame.protocols": protocols, "gre.key": "0xffffffff" }),
    );
    assert.deepEqual(withKey.tunnel, { kind: "gre", ...remote, key: 4294967295 });
    const without = parseLine(line({ ...outerAndInner, ...echo, "frame.protocols": protocols }));
    assert.deepEqual(without.tunnel, { kind: "gre", ...remote });
  });

  it("reads the index of ERSPAN type II, and direction and hardware ID of type III", () => {
    const protocols = "eth:ethertype:ip:gre:erspan:eth:ethertype:ip:icmp:data";
    const erspan = { ...outerAndInner, ...echo, "frame.protocols": protocols, "erspan.spanid": "1023" };
    assert.deepEqual(parseLine(line({ ...erspan, "erspan.version": "1", "erspan.index": "16" })).tunnel, {
      ...{ kind: "erspan", ...remote, version: 1, sessionID: 1023, index: 16 },
    });
    assert.deepEqual(
      parseLine(line({ ...erspan, "erspan.version": "2", "erspan.direction": "1", "erspan.hw": "63" })).tunnel,
      {
        ...{ kind: "erspan", ...remote, version: 2, sessionID: 1023, dir: 1, hardwareID: 63 },
      },
    );
  });

  it("takes the inner addresses from an IPv6 packet inside an IPv4 tunnel", () => {
    const packet = parseLine(
      line({
        ...outerAndInner,
        "frame.protocols": "eth:ethertype:ip:udp:vxlan:eth:ethertype:ipv6:icmpv6:data",
        "ip.src": "172.31.0.11",
        "ip.dst": "10.0.10.2",
        "ipv6.src": "fd00::1",
        "ipv6.dst": "fd00::2",
        "udp.srcport": "4000",
        "udp.dstport": "4789",
        "vxlan.vni": "0",
        "icmpv6.type": "128",
        "icmpv6.echo.sequence_number": "9",
      }),
    );
    assert.deepEqual(
      [packet.tunnel?.source, packet.inner.source, packet.inner.sequence],
      ["172.31.0.11", "fd00::1", 9],
    );
  });

  it("does not take the packet quoted in an ICMP error for one on the wire", () => {
    const packet = parseLine(
      line({
        ...outerAndInner,
        "frame.protocols": "eth:ethertype:ip:icmp:ip:udp:vxlan:eth:ethertype:ip:icmp",
        "eth.src": "0a:00:00:00:00:0a",
        "icmp.type": "3|8",
        "vxlan.vni": "5001",
      }),
    );
    assert.equal(packet.tunnel, undefined);
    assert.equal(packet.inner.icmpType, 3);
  });

  it("gives a frame without IP its protocol and the VLAN it is in", () => {
    const packet = parseLine(
      line({ ...frame, "frame.protocols": "eth:ethertype:vlan:ethertype:arp", "vlan.id": "100" }),
    );
    assert.deepEqual([packet.tunnel, packet.inner.protocol, packet.inner.vlan], [undefined, "arp", 100]);
  });
});
