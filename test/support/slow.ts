/** `it` for what takes tens of seconds without saying more of what is typical: only in the long suite (LONG=1). */
export const slow = process.env["LONG"] === "1" ? it : it.skip;
