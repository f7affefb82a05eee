/**
 * `.ingotignore`: what a push leaves out. One pattern a line; `#` starts a comment, `!` takes a later match back,
 * a trailing `/` matches folders only, a `/` anywhere else ties the pattern to the package's root, `*` and `?` stay
 * within one path part, `**` spans any number of parts. The last matching line wins. Always left out: `.git`,
 * `__pycache__`, `.ipynb_checkpoints`, `.DS_Store` and the `.ingotignore` at the root.
 */

/** Says whether a path of the package is left out. */
export type IsIgnored = (path: string, isFolder: boolean) => boolean;

/** The file whose patterns are read. */
export const IGNORE_FILE = '.ingotignore';

const ALWAYS: ReadonlySet<string> = new Set(['.git', '__pycache__', '.ipynb_checkpoints', '.DS_Store']);

interface Pattern {
  readonly negated: boolean;
  readonly foldersOnly: boolean;
  readonly segments: readonly string[];
}

/** Reads the text of an ignore file (empty text: only what is always left out). */
export function parseIgnore(text: string): IsIgnored {
  const patterns = text.split(/\r?\n/).flatMap(parsePattern);
  return (path, isFolder) => {
    const segments = path.split('/');
    if (ALWAYS.has(segments.at(-1) ?? '') || path === IGNORE_FILE) return true;
    let ignored = false;
    for (const pattern of patterns) {
      if (pattern.negated === ignored && !(pattern.foldersOnly && !isFolder) && matches(pattern.segments, segments)) {
        ignored = !pattern.negated;
      }
    }
    return ignored;
  };
}

function parsePattern(line: string): Pattern[] {
  let text = line.trimEnd();
  if (text === '' || text.startsWith('#')) return [];
  const negated = text.startsWith('!');
  if (negated) text = text.slice(1);
  const foldersOnly = text.endsWith('/');
  if (foldersOnly) text = text.replace(/\/+$/, '');
  const anchored = text.includes('/');
  const segments = text.split('/').filter((segment) => segment !== '');
  if (segments.length === 0) return [];
  return [{ negated, foldersOnly, segments: anchored ? segments : ['**', ...segments] }];
}

/** Matches path parts against pattern parts; remembers the last `**` only, so that it stays quadratic at worst. */
function matches(pattern: readonly string[], path: readonly string[]): boolean {
  return greedy(
    pattern.length,
    path.length,
    (p) => pattern[p] === '**',
    (p, t) => matchPart(pattern[p] ?? '', path[t] ?? ''),
  );
}

function matchPart(pattern: string, text: string): boolean {
  return greedy(
    pattern.length,
    text.length,
    (p) => pattern[p] === '*',
    (p, t) => pattern[p] === '?' || pattern[p] === text[t],
  );
}

function greedy(
  patternLength: number,
  textLength: number,
  isStar: (pattern: number) => boolean,
  same: (pattern: number, text: number) => boolean,
): boolean {
  let pattern = 0;
  let text = 0;
  let star = -1;
  let starText = 0;
  while (text < textLength) {
    if (pattern < patternLength && isStar(pattern)) {
      star = pattern++;
      starText = text;
    } else if (pattern < patternLength && same(pattern, text)) {
      pattern++;
      text++;
    } else if (star >= 0) {
      pattern = star + 1;
      text = ++starText;
    } else return false;
  }
  while (pattern < patternLength && isStar(pattern)) pattern++;
  return pattern === patternLength;
}
