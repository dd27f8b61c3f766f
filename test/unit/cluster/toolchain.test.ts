/** The toolchain's pure parts: the module file that Kubernetes is built from, and what is read of the distribution. */
import assert from "node:assert/strict";
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
