/** A piece of a search's source. `name`: a field or a bare value; `text`: in single quotes; `end`: after the last one. */
export interface Token {
  readonly kind: 'name' | 'text' | 'sign' | 'end' | 'wrong';
  /** As it was written; for a text, without its quotes. */
  readonly text: string;
  /** For a name: what stands between its dots, quotes removed. */
  readonly parts: readonly Part[];
  readonly at: number;
  /** Place after its last character. */
  readonly end: number;
}

/** What stands between two dots of a name. */
export interface Part {
  readonly text: string;
  readonly isQuoted: boolean;
}

const SPACE = /\s+/y;
const SIGN = /<=|>=|!=|<>|==|=|<|>|\(|\)|,/y;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const PLAIN = /[^\s()'"`,<>=!.]+/y;
const LEADING_DOT = /\.\d+(?:[eE][+-]?\d+)?(?![^\s()'"`,<>=!])/y;

/** Reads the number that a bare word is; undefined when it is none. */
export function numberIn(text: string): number | undefined {
  return NUMBER.test(text) ? Number(text) : undefined;
}

/**
 * Takes a source apart, each character once. What cannot begin a token becomes the last one, of kind `wrong`: whoever
 * reads them says what is wrong there.
 */
export function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = skipped(source, 0); at < source.length; ) {
    const token = textAt(source, at) ?? signAt(source, at) ?? nameAt(source, at);
    if (token === undefined) return [...tokens, { kind: 'wrong', text: source.slice(at), parts: [], at, end: at }];
    tokens.push(token);
    at = skipped(source, token.end);
  }
  return [...tokens, { kind: 'end', text: '', parts: [], at: source.length, end: source.length }];
}

function skipped(source: string, at: number): number {
  return at + (match(SPACE, source, at)?.length ?? 0);
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

/** `'it''s'` is the text `it's`. */
function textAt(source: string, at: number): Token | undefined {
  if (source[at] !== "'") return undefined;
  for (let from = at + 1; ; ) {
    const close = source.indexOf("'", from);
    if (close < 0) return undefined;
    if (source[close + 1] !== "'") {
      const text = source.slice(at + 1, close).replaceAll("''", "'");
      return { kind: 'text', text, parts: [], at, end: close + 1 };
    }
    from = close + 2;
  }
}

function signAt(source: string, at: number): Token | undefined {
  const text = match(SIGN, source, at);
  return text === undefined ? undefined : { kind: 'sign', text, parts: [], at, end: at + text.length };
}

/** Parts with dots between, each plain or in backticks or double quotes: ``tags.`data set` ``. */
function nameAt(source: string, at: number): Token | undefined {
  const dotted = match(LEADING_DOT, source, at);
  if (dotted !== undefined)
    return { kind: 'name', text: dotted, parts: [{ text: dotted, isQuoted: false }], at, end: at + dotted.length };
  const parts: Part[] = [];
  for (let end = at; ; ) {
    const part = partAt(source, end);
    if (part === undefined) break;
    parts.push(part);
    end = part.end;
    // A dot that nothing follows ends a number (`3.`) or a sentence.
    const goesOn = source[end] === '.' && partAt(source, end + 1) !== undefined;
    if (!goesOn) {
      if (source[end] === '.' && numberIn(source.slice(at, end)) !== undefined) end += 1;
      return { kind: 'name', text: source.slice(at, end), parts, at, end };
    }
    end += 1;
  }
  return undefined;
}

function partAt(source: string, at: number): (Part & { readonly end: number }) | undefined {
  const quote = source[at];
  if (quote === '"' || quote === '`') {
    const close = source.indexOf(quote, at + 1);
    return close < 0 ? undefined : { text: source.slice(at + 1, close), isQuoted: true, end: close + 1 };
  }
  const text = match(PLAIN, source, at);
  return text === undefined ? undefined : { text, isQuoted: false, end: at + text.length };
}
