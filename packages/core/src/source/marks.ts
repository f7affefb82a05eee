/**
 * A *mark* is what a file or directory name says about age: a version (`v1.10-rc2`, `3`) or a date (`2024-01-31T1200`,
 * `20240131`, `2024-W05`). Marks are ordered; words are not.
 */

/** A version written in a name. */
export interface VersionMark {
  readonly kind: 'version';
  /** Digits of each component, without leading zeros: `['1', '10']`. */
  readonly components: readonly string[];
  /** Before (negative), at (0) or after (positive) the release of these components. */
  readonly stage: number;
  /** The number of the stage: 2 in `rc2`. */
  readonly stageNumber: number;
  /** As written, without a leading `v`: `1.10-rc2`. */
  readonly text: string;
}

/** A date written in a name. */
export interface DateMark {
  readonly kind: 'date';
  /** Start of what is meant, in milliseconds since the epoch; UTC where no zone is written. */
  readonly atMs: number;
  readonly text: string;
}

/** What a name says about age. */
export type Mark = VersionMark | DateMark;

/** How finished a version is, by the words that people write after it. */
const STAGES: Readonly<Record<string, number>> = {
  dev: -6,
  snapshot: -5,
  nightly: -5,
  canary: -5,
  a: -4,
  alpha: -4,
  b: -3,
  beta: -3,
  m: -3,
  milestone: -3,
  c: -2,
  rc: -2,
  pre: -2,
  preview: -2,
  ea: -2,
  final: 0,
  ga: 0,
  release: 0,
  stable: 0,
  post: 1,
  patch: 1,
  hotfix: 1,
  fix: 1,
  sp: 1,
  p: 1,
  r: 1,
  rev: 1,
};

/** Gives the rank of a word after a version, or undefined for any other word. */
export function stageOf(word: string): number | undefined {
  const lower = word.toLowerCase();
  return Object.hasOwn(STAGES, lower) ? STAGES[lower] : undefined;
}

/** Orders what two names say, the older first: part by part, and a name that says more after the same is newer. */
export function compareMarks(a: readonly Mark[], b: readonly Mark[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const [left, right] = [a[index], b[index]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const order = compareMark(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

/** A version outranks a date: whoever numbers versions orders by them. */
function compareMark(a: Mark, b: Mark): number {
  if (a.kind === 'date') return b.kind === 'date' ? a.atMs - b.atMs : -1;
  return b.kind === 'date' ? 1 : compareVersions(a, b);
}

function compareVersions(a: VersionMark, b: VersionMark): number {
  for (let index = 0; index < Math.max(a.components.length, b.components.length); index += 1) {
    const order = compareDigits(a.components[index] ?? '0', b.components[index] ?? '0');
    if (order !== 0) return order;
  }
  return a.stage - b.stage || a.stageNumber - b.stageNumber;
}

/** Numbers of any length, without rounding. */
function compareDigits(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** The whole number that a name's only mark is, when it is one: `v3`, `3`, `007`. */
export function wholeNumber(marks: readonly Mark[]): number | undefined {
  const [mark, ...others] = marks;
  if (mark?.kind !== 'version' || others.length > 0 || mark.components.length !== 1 || mark.stage !== 0)
    return undefined;
  const number = /^\d+$/.test(mark.text) ? Number(mark.components[0]) : Number.NaN;
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}
