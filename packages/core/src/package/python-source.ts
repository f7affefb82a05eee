/**
 * A small reader of Python source: splits it into logical lines of tokens without executing or fully parsing it.
 * Strings of every kind (prefixes, triple quotes, f-strings that nest), comments, brackets, continuation lines and
 * indentation are understood; that is enough to say which names a module defines.
 */

/** A word or symbol. Strings are one token of kind `string`, their text left out. */
export interface PythonToken {
  readonly kind: 'name' | 'number' | 'string' | 'symbol';
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** A statement line: its tokens, and how far it is indented. */
export interface LogicalLine {
  readonly indent: number;
  readonly line: number;
  readonly tokens: readonly PythonToken[];
}

/** An error that every Python would report. */
export interface PythonError {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const NAME = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*/uy;
const NUMBER = /(?:0[xXbBoO][\da-fA-F_]+|\.?\d[\d_]*\.?[\d_]*(?:[eE][-+]?\d+)?[jJ]?)/y;
const STRING_PREFIX = /^(?:[rRbBuUfFtT]|[rR][bBfFtT]|[bBfFtT][rR])?$/;

/** Splits Python source into logical lines; stops at the first error. */
export function readPython(source: string): { readonly lines: readonly LogicalLine[]; readonly error?: PythonError } {
  const reader = new Reader(source.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n'));
  try {
    reader.run();
  } catch (error) {
    if (error instanceof Stop) return { lines: reader.lines, error: error.problem };
    throw error;
  }
  return { lines: reader.lines };
}

class Stop extends Error {
  readonly problem: PythonError;
  constructor(problem: PythonError) {
    super(problem.message);
    this.problem = problem;
  }
}

class Reader {
  readonly lines: LogicalLine[] = [];
  private readonly source: string;
  private at = 0;
  private line = 1;
  private lineStart = 0;
  private readonly brackets: PythonToken[] = [];
  private readonly indents: number[] = [0];

  constructor(source: string) {
    this.source = source;
  }

  run(): void {
    while (this.at < this.source.length) this.logicalLine();
  }

  private logicalLine(): void {
    const indent = this.readIndent();
    const tokens: PythonToken[] = [];
    const startLine = this.line;
    for (;;) {
      this.skipBlank();
      if (this.at >= this.source.length) break;
      if (this.source[this.at] === '\n') {
        this.newline();
        if (this.brackets.length === 0) break;
      } else tokens.push(this.token());
    }
    const open = this.brackets[0];
    if (open !== undefined)
      throw new Stop({ message: `"${open.text}" is never closed`, line: open.line, column: open.column });
    const first = tokens[0];
    if (first === undefined) return;
    this.checkIndent(indent, first);
    this.lines.push({ indent, line: first.line ?? startLine, tokens });
  }

  private readIndent(): number {
    let indent = 0;
    for (; this.at < this.source.length; this.at++) {
      const character = this.source[this.at];
      if (character === ' ') indent++;
      else if (character === '\t') indent = (Math.floor(indent / 8) + 1) * 8;
      else if (character === '\f') indent = 0;
      else break;
    }
    return indent;
  }

  private checkIndent(indent: number, first: PythonToken): void {
    const previous = this.lines.at(-1);
    const opensBlock = previous?.tokens.at(-1)?.text === ':' && previous.tokens.at(-1)?.kind === 'symbol';
    const current = this.indents.at(-1) ?? 0;
    if (opensBlock && indent <= current) {
      throw new Stop({
        message: `an indented block is expected after line ${previous.line}`,
        line: first.line,
        column: first.column,
      });
    }
    if (indent > current) {
      if (!opensBlock) throw new Stop({ message: 'unexpected indentation', line: first.line, column: first.column });
      this.indents.push(indent);
    }
    while (indent < (this.indents.at(-1) ?? 0)) this.indents.pop();
    if (indent !== (this.indents.at(-1) ?? 0)) {
      throw new Stop({ message: 'the indentation matches no outer level', line: first.line, column: first.column });
    }
  }

  /** Skips spaces, comments and backslash continuations. */
  private skipBlank(): void {
    for (;;) {
      const character = this.source[this.at];
      if (character === ' ' || character === '\t' || character === '\f') this.at++;
      else if (character === '#') while (this.at < this.source.length && this.source[this.at] !== '\n') this.at++;
      else if (character === '\\' && this.source[this.at + 1] === '\n') {
        this.at++;
        this.newline();
      } else return;
    }
  }

  private newline(): void {
    this.at++;
    this.line++;
    this.lineStart = this.at;
  }

  private token(): PythonToken {
    const place = { line: this.line, column: this.at - this.lineStart + 1 };
    const word = this.match(NAME);
    const next = this.source[this.at];
    if ((next === '"' || next === "'") && STRING_PREFIX.test(word)) {
      this.string(word, place);
      return { kind: 'string', text: '', ...place };
    }
    if (word !== '') return { kind: 'name', text: word, ...place };
    const digits = this.match(NUMBER);
    if (digits !== '') return { kind: 'number', text: digits, ...place };
    return this.symbol(place);
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  private symbol(place: { readonly line: number; readonly column: number }): PythonToken {
    const character = this.source[this.at] ?? '';
    const pair = this.source.slice(this.at, this.at + 2);
    const text = ['==', '!=', '<=', '>=', ':=', '->', '+=', '-=', '*=', '/=', '|=', '&=', '%=', '@=', '^='].includes(
      pair,
    )
      ? pair
      : character;
    const token: PythonToken = { kind: 'symbol', text, ...place };
    if (!/[-+*/%@&|^~<>=!.,:;()[\]{}`$?\\]/.test(character) || /[$?`\\]/.test(character)) {
      throw new Stop({ message: `unexpected character ${JSON.stringify(character)}`, ...place });
    }
    this.at += text.length;
    if (character in CLOSING) this.brackets.push(token);
    else if (character === ')' || character === ']' || character === '}') {
      const open = this.brackets.pop();
      if (open === undefined) throw new Stop({ message: `unmatched "${character}"`, ...place });
      if (CLOSING[open.text] !== character)
        throw new Stop({ message: `"${character}" does not close "${open.text}" of line ${open.line}`, ...place });
    }
    return token;
  }

  private string(prefix: string, place: { readonly line: number; readonly column: number }): void {
    const quote = this.source[this.at] ?? '';
    const triple = this.source.startsWith(quote.repeat(3), this.at);
    const end = triple ? quote.repeat(3) : quote;
    const nests = /[fFtT]/.test(prefix);
    this.at += end.length;
    while (!this.source.startsWith(end, this.at)) {
      const character = this.source[this.at];
      if (character === undefined || (character === '\n' && !triple))
        throw new Stop({ message: 'a string is never closed', ...place });
      if (character === '\\') this.escaped();
      else if (nests && character === '{') this.field(end, place);
      else this.advance();
    }
    this.at += end.length;
  }

  private escaped(): void {
    this.at++;
    if (this.at < this.source.length) this.advance();
  }

  private advance(): void {
    if (this.source[this.at] === '\n') this.newline();
    else this.at++;
  }

  /** A replacement field of an f-string: `{expression!r:spec}`; `{{` is a plain brace. */
  private field(end: string, place: { readonly line: number; readonly column: number }): void {
    if (this.source[this.at + 1] === '{') {
      this.at += 2;
      return;
    }
    this.at++;
    const outer = this.brackets.length;
    for (;;) {
      const character = this.source[this.at];
      if (character === undefined) throw new Stop({ message: 'a "{" in an f-string is never closed', ...place });
      if (this.brackets.length === outer && character === '}') break;
      if (this.brackets.length === outer && character === ':') {
        this.formatSpec(end, place);
        break;
      }
      if (character === '\n') this.newline();
      else if (/\s/.test(character)) this.at++;
      else if (character === '!' || character === '\\') this.at++;
      else this.token();
    }
    this.at++;
  }

  private formatSpec(end: string, place: { readonly line: number; readonly column: number }): void {
    while (this.source[this.at] !== '}') {
      if (this.at >= this.source.length || (end.length === 1 && this.source[this.at] === '\n')) {
        throw new Stop({ message: 'a "{" in an f-string is never closed', ...place });
      }
      if (this.source[this.at] === '{') this.field(end, place);
      else this.advance();
    }
  }
}
