/** Words of status messages: numbers with their nouns, short lists. */

/** Singular and plural. */
export type Noun = readonly [string, string];

/** "1 node", "3 nodes". */
export function count(number: number, [singular, plural]: Noun): string {
  return `${number} ${number === 1 ? singular : plural}`;
}

/** "a", "a and b", "a, b and 7 more". */
export function list(items: readonly string[], maximum = 3): string {
  if (items.length <= 1) return items[0] ?? "";
  if (items.length <= maximum) return `${items.slice(0, -1).join(", ")} and ${items.at(-1)!}`;
  return `${items.slice(0, maximum - 1).join(", ")} and ${items.length - maximum + 1} more`;
}
