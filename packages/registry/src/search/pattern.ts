import { IngotError } from '@ingot/core/errors';

const MOST_WILDCARDS = 50;
const LONGEST = 1000;

/**
 * Checks a pattern of LIKE: `%` is any text, `_` any character; gives it with `%%` as one.
 * @throws IngotError `usage` for one that takes too long.
 */
export function checkPattern(pattern: string): string {
  const short = pattern.replace(/%{2,}/g, '%');
  if (short.length > LONGEST || short.split('%').length > MOST_WILDCARDS)
    throw new IngotError(
      'usage',
      `a pattern with more than ${MOST_WILDCARDS} "%" or ${LONGEST} characters is not searched for`,
    );
  return short;
}

/** Says whether a text matches a pattern; takes time as their lengths multiplied at most. */
export function matches(text: string, pattern: string): boolean {
  const characters = [...text];
  const wanted = [...pattern];
  let at = 0;
  let next = 0;
  let star = -1;
  let mark = 0;
  while (at < characters.length) {
    if (wanted[next] === '%') {
      star = next;
      mark = at;
      next += 1;
    } else if (next < wanted.length && (wanted[next] === '_' || wanted[next] === characters[at])) {
      next += 1;
      at += 1;
    } else if (star >= 0) {
      next = star + 1;
      mark += 1;
      at = mark;
    } else return false;
  }
  while (wanted[next] === '%') next += 1;
  return next === wanted.length;
}
