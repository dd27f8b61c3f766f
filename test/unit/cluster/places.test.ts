/** Names and addresses of a cluster's parts. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  hardwareAddress,
  MOST_NODES,
  nameProblem,
  nodeAddress,
  nodeIndex,
  nodeName,
  Places,
  podGateway,
  podSubnet,
} from "../../../hack/cluster/places";

describe("the name of a cluster", () => {
  for (const name of ["dev", "a", "my-cluster", "x1", "node", "node-1x", "a".repeat(30)])
    it(`may be "${name}"`, () => assert.equal(nameProblem(name), undefined));

  for (const name of ["", "Dev", "1a", "-a", "a-", "a_b", "../up", "a/b", "a b", "a".repeat(31), "dev-node-1"])
    it(`may not be "${name}"`, () => {
      assert.match(nameProblem(name) ?? "", /is no cluster name/);
      assert.throws(() => new Places(name), /is no cluster name/);
    });

  it("keeps namespaces of clusters and their nodes apart, whatever the two names are", () => {
    const valid = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}(node-1|[a-z0-9]))?$/).filter((name) => !nameProblem(name));
    const namespaces = (name: string): string[] => {
      const places = new Places(name);
      return [places.machineNamespace, ...[1, 2, 11].map((index) => places.nodeNamespace(nodeName(index)))];
    };
    fc.assert(
      fc.property(valid, valid, (one, other) => {
        fc.pre(one !== other);
        const taken = new Set(namespaces(one));
        assert.deepEqual(
          namespaces(other).filter((namespace) => taken.has(namespace)),
          [],
        );
      }),
    );
  });
});

describe("the nodes of a cluster", () => {
  it("have addresses and Pod networks of their own, up to the last one", () => {
    const indexes = Array.from({ length: MOST_NODES }, (_, index) => index + 1);
    assert.equal(new Set(indexes.map(nodeAddress)).size, MOST_NODES);
    assert.equal(new Set(indexes.map(podSubnet)).size, MOST_NODES);
    assert.equal(nodeAddress(MOST_NODES), "172.31.0.190");
  });

  it("have bridges whose hardware addresses no Pod gets", () => {
    assert.equal(hardwareAddress(podGateway(1)), "0a:58:0a:f4:01:01");
    assert.equal(hardwareAddress(nodeAddress(1)), "0a:58:ac:1f:00:0b");
  });

  it("tell their number", () => assert.equal(nodeIndex(nodeName(17)), 17));
});
