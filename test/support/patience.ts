/**
 * How many times as long as usual tests wait for something: PATIENCE_FACTOR, 1 if unset. The kernel suite's machine may be
 * translated instruction by instruction. Used by everything that gives up at some time.
 */
export const PATIENCE_FACTOR = Number(process.env["PATIENCE_FACTOR"] ?? 1);
