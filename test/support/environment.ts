/** Loaded before any test: what Pepr reads from the environment when it is imported. Registers admission and watch bindings; starts nothing. */
process.env["PEPR_MODE"] = "dev";
process.env["LOG_LEVEL"] ??= "silent";
process.env["PEPR_NODE_WARNINGS"] = "1";
