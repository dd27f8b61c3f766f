/** When a resident programmer is replaced by a fresh one although nothing is wrong with it. Pure; asked by the node reconciler. */

const HOUR_MS = 3_600_000;
const EARLIEST_MS = 8 * HOUR_MS;
const SPREAD_MS = 3 * HOUR_MS;
const LEAST_MS = 600_000;

/** Age in milliseconds at which this Job is renewed: 8 to 11 h, another for each Job, the same after a restart of the controller. */
export function renewalAge(jobUID: string): number {
  let hash = 2_166_136_261;
  // FNV-1a: UIDs of one moment differ in few digits.
  for (const character of jobUID) hash = Math.imul(hash ^ character.charCodeAt(0), 16_777_619);
  return EARLIEST_MS + ((hash >>> 0) / 2 ** 32) * SPREAD_MS;
}

/**
 * Milliseconds until the Job is renewed; 0 or less if it is time.
 *
 * @param age by the clocks of the API server and of this machine, which may be hours apart
 * @param sinceStart since this process has started it, by a clock that cannot be wrong: what has just been renewed is young whatever the others say
 */
export function untilRenewal(jobUID: string, age: number, sinceStart: number): number {
  return Math.max(renewalAge(jobUID) - age, LEAST_MS - sinceStart);
}
