import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { SHORT_ON_OVN } from "../../../hack/gate/e2e";
import { type Choice, chosen } from "../../../hack/gate/suites";

const names = (choice: Choice): string[] => chosen(choice).map(({ name }) => name);

describe("the suites that a command line chooses", () => {
  it("are all of them, on both networks, if it says nothing", () => {
    assert.deepEqual(names({}), ["lint", "unit", "lab", "kernel", "e2e", "e2e-ovn"]);
  });

  it("are those with a name, and lint only without a pattern", () => {
    assert.deepEqual(names({ only: ["lint", "e2e"] }), ["lint", "e2e"]);
    assert.deepEqual(names({ only: ["lint", "e2e-ovn"], grep: "x" }), ["e2e-ovn"]);
  });

  it("have the end-to-end tests on the network with a name only", () => {
    assert.deepEqual(names({ only: ["e2e"], network: "ovn" }), ["e2e-ovn"]);
    assert.deepEqual(names({ only: ["unit", "e2e"], network: "ovs" }), ["unit", "e2e"]);
    assert.deepEqual(names({ network: "ovn" }), ["lint", "unit", "lab", "kernel", "e2e-ovn"]);
  });

  it("have them once on a cluster that is there already", () => {
    assert.deepEqual(names({ only: ["e2e"], cluster: "demo" }), ["e2e"]);
  });
});

describe("the part of the suite on OVN that npm test runs", () => {
  it("is there: each of its names begins that of a test suite", () => {
    const folder = "test/e2e";
    const texts = readdirSync(folder)
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => readFileSync(`${folder}/${file}`, "utf8"));
    for (const name of SHORT_ON_OVN)
      assert.ok(
        texts.some((text) => text.includes(`describe("${name}`)),
        name,
      );
  });
});
