/** The API server's message about a TrafficControl that its CRD refuses, in a form in which the rules' own can be compared. */

/** One line per mistake. */
export function linesOf(message: string): string[] {
  const text = message
    .replace(/^TrafficControl\.crd\.antrea\.io "[^"]*" is invalid: /, "")
    .replace(/^\[(.*)\]$/s, "$1");
  // With a mistake against the schema comes a line that says that CEL was left out.
  return text.split(/, (?=spec[.:[]|<nil>)/).filter((line) => !line.startsWith("<nil>"));
}

/** Without the value, of which each shows what it has, and with one way to write the key of a map. */
export function comparable(line: string): string {
  return line
    .replace(
      /^(\S+): (Invalid|Unsupported|Duplicate) value: ("(?:[^"\\]|\\.)*"|-?[\d.e+]+|true|false)(: |$)/,
      "$1: $2 value: ",
    )
    .replace(/Labels(\.|\[)([^\]:]*)\]?: Too long/, "Labels[$2]: Too long");
}
