/** Where a command writes: results on stdout, progress and hints on stderr. Knows what each stream can show. */

import picocolors from 'picocolors';

/** The colors in use; each is the identity where colors are off. */
export type Colors = ReturnType<typeof picocolors.createColors>;

/** One output stream. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width in characters; 100 where it is not known. */
  readonly columns: number;
  readonly colors: Colors;
}

/** Both streams of a command. */
export interface Terminal {
  readonly out: Output;
  readonly err: Output;
}

/** The part of a Node stream that an {@link Output} needs. */
export interface StreamLike {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What decides about colors. */
export interface ColorRules {
  /** False for `--no-color` and `NO_COLOR`. */
  readonly allowed: boolean;
  /** True for `FORCE_COLOR`. */
  readonly forced?: boolean;
}

/** Wraps a stream. */
export function openOutput(stream: StreamLike, rules: ColorRules): Output {
  const isTerminal = stream.isTTY === true;
  return {
    write: (text) => {
      stream.write(text);
    },
    isTerminal,
    get columns() {
      return stream.columns || 100;
    },
    colors: picocolors.createColors(rules.allowed && (isTerminal || rules.forced === true)),
  };
}

/** How wide the lines of a table may be: a pipe or a file gets whole ones. */
export function tableWidth({ isTerminal, columns }: Output): number {
  return isTerminal ? columns : Number.POSITIVE_INFINITY;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what must be removed
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** Replaces control characters in text from a package or a store, so that it cannot steer the terminal. */
export function plain(text: string): string {
  return text.replace(CONTROL, '\uFFFD');
}
