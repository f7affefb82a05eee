/** A text as one word of a command that people copy into a shell: in quotes where a shell would read more into it. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
