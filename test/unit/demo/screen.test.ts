/** What the demo's last screen says, from what was found. */
import assert from "node:assert/strict";
import { screen } from "../../../hack/demo/screen";
import type { Findings } from "../../../hack/demo/screen";
import type { Packet } from "../../support/decode";

const sent: Packet = {
  time: 10,
  length: 74,
  inner: {
    ...{ sourceMAC: "", destinationMAC: "", protocol: "tcp", source: "10.244.3.2", destination: "10.244.1.2" },
    ...{ id: 1, sourcePort: 40000, destinationPort: 80, flags: "PSH,ACK", sequence: 1, payload: 80, http: "GET /" },
  },
};
const copy: Packet = { ...sent, tunnel: { kind: "vxlan", source: "172.31.0.11", destination: "10.0.10.2", vni: 0 } };
const findings = (part: Partial<Findings>): Findings => ({ steps: [], checks: [], ...part });
const traffic = { requests: 1, sent: [sent], copies: [copy], missing: [], surplus: [] };

describe("the demo's screen", () => {
  it("puts each packet of the client next to its decoded copy, and counts both", () => {
    const text = screen(findings({ traffic }), 120);
    assert.match(
      text,
      /sent PSH,ACK GET \/ +10\.244\.3\.2:40000 > 10\.244\.1\.2:80 PSH,ACK GET \/ +vxlan 0 from 172\.31\.0\.11/,
    );
    assert.match(
      text,
      /1 requests: 1 packets at the client's interface, 1 copies at the collector, 0 missing, 0 too many/,
    );
  });

  it("shows a packet that has no copy", () => {
    assert.match(screen(findings({ traffic: { ...traffic, copies: [] } }), 120), /GET \/ +no copy/);
  });

  it("marks what was seen and what was not", () => {
    const checks = [
      { text: "this", seen: true },
      { text: "that", seen: false },
    ];
    assert.match(screen(findings({ checks }), 120), /✓ this\n {2}✗ that/);
  });

  it("breaks a long refusal at spaces and keeps its lines", () => {
    const refusal = { command: "kubectl apply", answer: `${"word ".repeat(10).trim()}\nnext` };
    const text = screen(findings({ refusal }), 22);
    assert.match(text, /kubectl apply\n {2}word word word word\n {2}word word word word\n {2}word word\n {2}next\n/);
  });

  it("says what differs on a bridge after the deletion", () => {
    const deletion = { copies: 0, requests: 20, differences: ["node-1 + br-int dump-flows: table=240"] };
    assert.match(screen(findings({ deletion }), 120), /not as before:\n {2}node-1 \+ br-int dump-flows: table=240/);
  });

  it("adds up the seconds of the steps", () => {
    const steps = [
      { title: "Cluster", seconds: 12.34 },
      { title: "Requests", seconds: 0.5 },
    ];
    assert.match(screen(findings({ steps }), 120), /Cluster 12\.3 · Requests 0\.500\nTogether 12\.8 s\./);
  });
});
