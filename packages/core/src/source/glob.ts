/** Patterns of names: `*` any characters, `?` one, `[abc]`, `[a-z]`, `[!a]` one of some; all within one part of a path. */

/** One part of a path, with or without wildcards. */
export interface GlobPart {
  readonly text: string;
  readonly isPattern: boolean;
  /** What stands before the first wildcard. */
  readonly literal: string;
  /** Gives what the wildcards stand for, or undefined when the name does not match. */
  match(name: string): readonly string[] | undefined;
  /** The name with what the wildcards stand for replaced. */
  fill(values: readonly string[]): string;
  /** Which wildcards stand right after a `v`, as in `model_v*`. */
  readonly afterV: readonly boolean[];
}

const WILDCARD = /\*+|\?|\[(?:!|\^)?\]?[^\]]*\]/g;
const ENDS_WITH_V = /(?:^|[^a-z])(?:v|ver|version)[._-]?$/i;

/** Says whether a text holds a wildcard. */
export function hasWildcard(text: string): boolean {
  return /[*?]|\[[^\]]+\]/.test(text);
}

/** Reads one part of a path. `[*]` stands for a star itself. */
export function parseGlob(text: string): GlobPart {
  const pieces = split(text);
  const source = pieces.map(({ literal, wildcard }) => (wildcard === undefined ? escaped(literal) : wildcard)).join('');
  const pattern = new RegExp(`^${source}$`, 'su');
  const isPattern = pieces.some(({ wildcard }) => wildcard !== undefined);
  const first = pieces.findIndex(({ wildcard }) => wildcard !== undefined);
  return {
    text,
    isPattern,
    literal: pieces
      .slice(0, first < 0 ? pieces.length : first)
      .map(({ literal }) => literal)
      .join(''),
    match: (name) => pattern.exec(name)?.slice(1),
    fill: (values) => {
      const left = [...values];
      return pieces.map(({ literal, wildcard }) => (wildcard === undefined ? literal : (left.shift() ?? ''))).join('');
    },
    afterV: pieces.flatMap(({ wildcard }, index) =>
      wildcard === undefined ? [] : [ENDS_WITH_V.test(pieces[index - 1]?.literal ?? '')],
    ),
  };
}

interface Piece {
  readonly literal: string;
  readonly wildcard?: string;
}

function split(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(WILDCARD)) {
    const wildcard = sourceOf(match[0]);
    if (wildcard === undefined) continue;
    pieces.push({ literal: unescaped(text.slice(at, match.index)) }, { literal: '', wildcard });
    at = match.index + match[0].length;
  }
  pieces.push({ literal: unescaped(text.slice(at)) });
  return pieces.filter(({ literal, wildcard }) => literal !== '' || wildcard !== undefined);
}

/** The expression of a wildcard; undefined for a set of one character, which is how a wildcard is written literally. */
function sourceOf(wildcard: string): string | undefined {
  if (wildcard.startsWith('*')) return '([^/]*)';
  if (wildcard === '?') return '([^/])';
  const inner = wildcard.slice(1, -1);
  if ([...inner].length < 2) return undefined;
  const negated = /^[!^]/.test(inner);
  return `([${negated ? '^/' : ''}${(negated ? inner.slice(1) : inner).replace(/[\\\][&|~^]/g, '\\$&')}])`;
}

function unescaped(text: string): string {
  return text.replace(/\[(.)\]/gu, '$1');
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
