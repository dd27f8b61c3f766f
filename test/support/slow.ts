/**
 * What is in the long suite only (LONG=1, npm run test:long): it takes tens of seconds without saying more of what is typical.
 * Mocha's functions are taken when they are called: it makes them anew for each file, and they know which.
 */
export const IS_LONG = process.env["LONG"] === "1";

/** `describe` of such tests. */
export function long(title: string, body: (this: Mocha.Suite) => void): void {
  (IS_LONG ? describe : describe.skip)(title, body);
}

/** `it` of such a test. */
export function slow(title: string, body: (this: Mocha.Context) => Promise<void>): void {
  (IS_LONG ? it : it.skip)(title, body);
}
