/**
 * The one-way flow of the rooms (docs/architecture.md): capabilities → api, engine; node-programmer → ovs-ofctl-wrapper,
 * api. test/unit/gate/rooms.test.ts shows for each rule what it forbids and what it lets through.
 */
const room = (name) => `^capabilities/${name}/`;
const product = "^(capabilities|packages|pepr\\.ts)";
const inRoom = "^(capabilities|hack|packages)/[^/]+/";
const doors = ["^(capabilities|hack)/[^/]+/index\\.ts$", "^packages/[^/]+/src/index\\.ts$"];
const kubernetes = "node_modules/(@kubernetes/|kubernetes-fluent-client/|pepr/)";

/** A room's modules import themselves and what is listed, nothing else of this repository. */
const only = (name, from, allowed) => ({
  name,
  severity: "error",
  from: { path: from },
  to: { path: "^(capabilities|packages|hack|test|pepr\\.ts)", pathNot: [from, ...allowed] },
});

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      comment: "A circle that types close is none when the program runs",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, path: "^(capabilities|packages)", pathNot: "\\.d\\.ts$|metadata\\.ts$" },
      to: {},
    },
    {
      name: "no-unresolvable",
      comment: "A rule cannot judge an import that leads nowhere",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    only("api-depends-on-nothing", room("api"), []),
    only("engine-knows-no-room", room("engine"), [room("api")]),
    only("selection-uses-api", room("selection"), [room("api")]),
    only("planning-uses-api-and-selection", room("planning"), [room("api"), room("selection")]),
    only("admission-uses-api-and-engine", room("admission"), [room("api"), room("engine")]),
    only("delivery-uses-api-engine-and-planning", room("delivery"), [room("api"), room("engine"), room("planning")]),
    only("reporting-uses-api-engine-and-planning", room("reporting"), [room("api"), room("engine"), room("planning")]),
    only("wrapper-knows-nothing-of-us", "^packages/ovs-ofctl-wrapper/", []),
    only("programmer-knows-no-controller", "^packages/node-programmer/", ["^packages/ovs-ofctl-wrapper/", room("api")]),
    only("plugin-uses-the-controller-s-rooms", "^packages/kubectl-trafficcontrol/", ["^capabilities/"]),
    {
      name: "nobody-uses-the-plugin",
      severity: "error",
      from: { path: product, pathNot: "^packages/kubectl-trafficcontrol/" },
      to: { path: "^packages/kubectl-trafficcontrol/" },
    },
    {
      name: "wrapper-knows-no-kubernetes",
      severity: "error",
      from: { path: "^packages/ovs-ofctl-wrapper/" },
      to: { path: kubernetes },
    },
    {
      name: "pure-rooms-have-no-effects",
      comment: "Selection and planning take values and return values; hashing and comparing are no effects",
      severity: "error",
      from: { path: "^capabilities/(selection|planning|api)/" },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?(crypto|util|assert|net)$" },
    },
    {
      name: "pure-rooms-know-no-client",
      severity: "error",
      from: { path: "^capabilities/(selection|planning|api)/" },
      to: { path: kubernetes, dependencyTypesNot: ["type-only"] },
    },
    {
      name: "doors",
      comment: "A room is entered through its index.ts",
      severity: "error",
      from: { path: "^(capabilities|hack)/([^/]+)/" },
      to: { path: inRoom, pathNot: ["^$1/$2/", ...doors] },
    },
    {
      name: "doors-of-packages",
      comment: "Another rule, because a group that has not matched stands for anything",
      severity: "error",
      from: { path: "^packages/([^/]+)/" },
      to: { path: inRoom, pathNot: ["^packages/$1/", ...doors] },
    },
    {
      name: "doors-for-the-entry",
      comment: "pepr.ts and the table of contents use the doors too",
      severity: "error",
      from: { path: "^(pepr\\.ts|capabilities/[^/]+\\.ts)$" },
      to: { path: "^(capabilities|packages)/[^/]+/", pathNot: doors },
    },
    { name: "product-not-on-tools", severity: "error", from: { path: product }, to: { path: "^(hack|test)/" } },
    {
      name: "product-not-on-dev-dependencies",
      comment:
        "The plugin is a program of its own, with dependencies of its own; knip compares them with its package.json",
      severity: "error",
      from: { path: product, pathNot: "^packages/kubectl-trafficcontrol/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "/generated/" },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    // Not tsConfig: its resolver looks for packages in the root too, and takes pepr.ts for the package pepr.
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "default", "types"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json", ".d.ts"],
      mainFields: ["module", "main", "types", "typings"],
    },
  },
};
