/** The toolchain's pure parts: the module file that Kubernetes is built from, and what is read of the distribution. */
import assert from "node:assert/strict";
import { moduleAround } from "../../../hack/toolchain/go-module";
import { kubernetesModule } from "../../../hack/toolchain/kubernetes";
import { distribution, hasCandidate } from "../../../hack/toolchain/prerequisites";

describe("the module that Kubernetes is built from", () => {
  const upstream = `module k8s.io/kubernetes

go 1.26.0

godebug default=go1.26

require (
	k8s.io/api v0.0.0
	sigs.k8s.io/yaml v1.6.0
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/client-go => ./staging/src/k8s.io/client-go
	example.com/other => ../other
)
`;

  it("replaces every staging module by the one published with that release, and nothing else", () => {
    assert.deepEqual(kubernetesModule(upstream, "1.36.4").split("\n").slice(1), [
      "go 1.26.0",
      "require k8s.io/kubernetes v1.36.4",
      "replace k8s.io/api => k8s.io/api v0.36.4",
      "replace k8s.io/client-go => k8s.io/client-go v0.36.4",
      "",
    ]);
  });

  it("is refused if upstream's layout has changed, instead of building something else", () => {
    assert.throws(() => kubernetesModule("module k8s.io/kubernetes\n\ngo 1.26.0\n", "1.36.4"), /no staging modules/);
  });
});

describe("a module around packages of another one", () => {
  const module = { path: "example.com/upstream/v3", version: "3.2.1" };

  it("needs the other one, and replaces what that replaces by published modules", () => {
    const upstream =
      "go 1.24.0\n\nreplace a.b/c => a.b/d v1.0.0\n\nreplace (\n\te.f/g v2 => e.f/h v2.1.0\n\tlocal => ../x\n)\n";
    assert.deepEqual(moduleAround("tool", module, upstream).split("\n"), [
      "module ovs-traffic-control.dev/toolchain/tool",
      "go 1.24.0",
      "require example.com/upstream/v3 v3.2.1",
      "replace a.b/c => a.b/d v1.0.0",
      "replace e.f/g v2 => e.f/h v2.1.0",
      "",
    ]);
  });

  it("is refused if the other one names no version of Go", () => {
    assert.throws(() => moduleAround("tool", module, "module x\n"), /names no Go version/);
  });
});

describe("the distribution", () => {
  it("is read with and without quotes", () => {
    assert.equal(distribution('PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\n'), "debian 12");
    assert.equal(distribution('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'), "ubuntu 24.04");
  });

  it("is nothing that is supported where the file is missing", () => assert.equal(distribution(""), " "));
});

describe("a package that the distribution may have", () => {
  const policy = (candidate: string): string =>
    `suricata:\n  Installed: (none)\n  Candidate: ${candidate}\n  Version table:\n`;

  it("is offered if it has a candidate", () => assert.ok(hasCandidate(policy("1:7.0.10-1+deb13u1"))));

  it("is not if it has none, or nobody has heard of it", () => {
    for (const text of [policy("(none)"), ""]) assert.ok(!hasCandidate(text));
  });
});
