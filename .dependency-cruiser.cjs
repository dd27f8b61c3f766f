/** The one-way flow of the rooms (docs/architecture.md): capabilities → api, engine; node-programmer → ovs-ofctl-wrapper, api. */
const room = (name) => `^capabilities/${name}/`;
const only = (name, from, allowed) => ({
  name,
  severity: "error",
  from: { path: from },
  to: { path: "^(capabilities|packages|hack|test|pepr\\.ts)", pathNot: [from, ...allowed] },
});
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, path: "^(capabilities|packages)", pathNot: "\\.d\\.ts$|metadata\\.ts$" },
      to: {},
    },
    only("api-depends-on-nothing", room("api"), []),
    only("engine-knows-no-room", room("engine"), [room("api")]),
    only("selection-is-pure", room("selection"), [room("api")]),
    only("planning-is-pure", room("planning"), [room("api"), room("selection")]),
    only("admission-uses-api-and-engine", room("admission"), [room("api"), room("engine")]),
    only("delivery-uses-api-and-engine", room("delivery"), [room("api"), room("engine"), room("planning")]),
    only("reporting-uses-api-and-engine", room("reporting"), [room("api"), room("engine"), room("planning")]),
    only("wrapper-knows-no-kubernetes", "^packages/ovs-ofctl-wrapper/", []),
    only("programmer-knows-no-controller", "^packages/node-programmer/", [
      "^packages/ovs-ofctl-wrapper/src/index\\.ts",
      room("api"),
    ]),
    {
      name: "doors",
      comment: "A room is entered through its index.ts",
      severity: "error",
      from: { path: "^(capabilities/([^/]+)/|packages/([^/]+)/)" },
      to: {
        path: "^(capabilities/[^/]+/|packages/[^/]+/)",
        pathNot: ["^capabilities/$2/", "^packages/$3/", "/index\\.ts$"],
      },
    },
    {
      name: "product-not-on-tools",
      severity: "error",
      from: { path: "^(capabilities|packages|pepr\\.ts)" },
      to: { path: "^(hack|test)/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "/generated/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "default"],
      extensions: [".ts", ".js", ".mjs"],
    },
  },
};
