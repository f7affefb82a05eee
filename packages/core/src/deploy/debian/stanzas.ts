/** Paragraphs of `Key: value` lines, as Debian writes all its lists. Source: deb-control(5), section "Syntax". */

/** One paragraph: keys in small letters; continued lines are joined by line breaks. */
export type Stanza = ReadonlyMap<string, string>;

/** Reads the paragraphs of a text, in order. */
export function parseStanzas(text: string): Stanza[] {
  return text
    .replaceAll('\r\n', '\n')
    .split(/\n[ \t]*\n/)
    .map(parseStanza)
    .filter((stanza) => stanza.size > 0);
}

function parseStanza(text: string): Stanza {
  const stanza = new Map<string, string>();
  let last: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('#') || line.trim() === '') continue;
    const before = last === undefined ? undefined : stanza.get(last);
    if (/^[ \t]/.test(line) && last !== undefined) stanza.set(last, `${before}\n${line.trim()}`);
    else {
      const colon = line.indexOf(':');
      if (colon <= 0) continue;
      last = line.slice(0, colon).toLowerCase();
      stanza.set(last, line.slice(colon + 1).trim());
    }
  }
  return stanza;
}

/** Reads the paragraphs of a long text while it comes. */
export async function* streamStanzas(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Stanza, void> {
  const decoder = new TextDecoder();
  let held = '';
  for await (const piece of pieces) {
    held += decoder.decode(piece, { stream: true });
    const end = held.lastIndexOf('\n\n');
    if (end < 0) continue;
    yield* parseStanzas(held.slice(0, end));
    held = held.slice(end + 2);
  }
  yield* parseStanzas(held + decoder.decode());
}
