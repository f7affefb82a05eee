/** A text as both databases hold it: what is no character, and the one that Postgres refuses, are replaced. */
export function storable(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, '\uFFFD');
}

/** The same for a text that may be missing. */
export function storableOrNull(text: string | undefined): string | null {
  return text === undefined ? null : storable(text);
}
