import assert from "node:assert/strict";
import { formatWarning, mistakes, warnings, type WarningCode } from "../../../capabilities/admission/rules";
import { manifest, type Case } from "./cases";

const codes = (change: Case["change"]): WarningCode[] => {
  const object = manifest({ title: "", change });
  assert.deepEqual(mistakes(object), [], "a warning is about something that is allowed");
  return warnings(object).map(({ code }) => code);
};
const redirect = (targetPort: unknown, returnPort: unknown): Case["change"] => ({
  ...{ action: "Redirect", targetPort, returnPort },
});

describe("the warnings about a TrafficControl", () => {
  const cases: [sentence: string, change: Case["change"], expected: WarningCode[]][] = [
    ["are none about an ordinary mirror", {}, []],
    ["say that appliedTo: {} selects nothing", { appliedTo: {} }, ["SelectsNothing"]],
    ["say that an empty Pod selector selects everything", { appliedTo: { podSelector: {} } }, ["SelectsEverything"]],
    [
      "say that two empty selectors select everything",
      { appliedTo: { podSelector: { matchLabels: {} }, namespaceSelector: { matchExpressions: [] } } },
      ["SelectsEverything"],
    ],
    [
      "are none about all Pods of some Namespaces",
      { appliedTo: { podSelector: {}, namespaceSelector: { matchLabels: { team: "red" } } } },
      [],
    ],
    ["say that Ingress is half of a connection", { direction: "Ingress" }, ["HalfConnection"]],
    ["say that Egress is half of a connection", { direction: "Egress" }, ["HalfConnection"]],
    [
      "are none about a redirect of one direction",
      { ...redirect({ ovsInternal: { name: "a" } }, { ovsInternal: { name: "b" } }), direction: "Egress" },
      [],
    ],
    [
      "point at one name for target and return port",
      redirect({ ovsInternal: { name: "a" } }, { ovsInternal: { name: "a" } }),
      ["OneArmed"],
    ],
    [
      "point at one tunnel for both, however it is written",
      redirect(
        { geneve: { remoteIP: "fd00::2", vni: 0 } },
        { geneve: { remoteIP: "FD00:0:0::0002", destinationPort: 6081 } },
      ),
      ["OneArmed"],
    ],
    [
      "are none about two tunnels that differ in their VNI",
      redirect({ vxlan: { remoteIP: "10.0.10.2", vni: 1 } }, { vxlan: { remoteIP: "10.0.10.2", vni: 2 } }),
      [],
    ],
    [
      "are none about two tunnels of different kinds",
      redirect({ vxlan: { remoteIP: "10.0.10.2" } }, { geneve: { remoteIP: "10.0.10.2", destinationPort: 4789 } }),
      [],
    ],
    [
      "are none about the highest GRE key of Antrea",
      { targetPort: { gre: { remoteIP: "10.0.10.2", key: 2147483647 } } },
      [],
    ],
    [
      "name a GRE key that Antrea cannot read",
      { targetPort: { gre: { remoteIP: "10.0.10.2", key: 2147483648 } } },
      ["GreKeyUnreadable"],
    ],
    ["are as many as there are reasons", { appliedTo: {}, direction: "Egress" }, ["SelectsNothing", "HalfConnection"]],
  ];
  for (const [sentence, change, expected] of cases)
    it(sentence, () => {
      assert.deepEqual(codes(change), expected);
    });

  it("name the field", () => {
    const [found] = warnings(
      manifest({
        title: "",
        change: redirect({ device: { name: "a" } }, { gre: { remoteIP: "10.0.10.2", key: 4294967295 } }),
      }),
    );
    assert.match(formatWarning(found!), /^spec\.returnPort\.gre\.key is above 2147483647/);
  });
});
