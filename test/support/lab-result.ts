/** Reads a Result in a test: the value, or a failure with what Open vSwitch said. */
import assert from "node:assert/strict";
import type { Result } from "../../packages/ovs-ofctl-wrapper/src/index";

export function value<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? "" : `${result.error.command}: ${result.error.message}`);
  return result.value;
}

/** The message of the error that was expected. */
export function refusal(result: Result<unknown>): string {
  assert.ok(!result.ok, "it succeeded");
  return result.error.message;
}
