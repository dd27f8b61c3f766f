/** "did you mean …?": the one known word that is nearest to what was written. Called for enums. */

const FURTHEST = 2;
const LONGEST = 32;

/** The word that `written` is a misspelling of: another case, or at most two letters off; undefined if none is near. */
export function suggest(written: string, words: readonly string[]): string | undefined {
  if (written.length > LONGEST) return undefined;
  const plain = written.trim().toLowerCase();
  const near = words
    .map((word) => ({ word, distance: distance(plain, word.toLowerCase()) }))
    .filter(({ word, distance }) => distance <= Math.min(FURTHEST, word.length / 2))
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.word;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const letter of a) {
    const next = [row[0]! + 1];
    for (let column = 1; column <= b.length; column++)
      next.push(
        Math.min(next[column - 1]! + 1, row[column]! + 1, row[column - 1]! + (letter === b[column - 1] ? 0 : 1)),
      );
    row = next;
  }
  return row[b.length]!;
}
