import { compareMarks, type Mark } from './marks.ts';
import { dayOrderOf } from './read-date.ts';
import { readName } from './read-name.ts';

/** Something that a pattern matched. */
export interface Candidate {
  readonly path: string;
  /** What the wildcards stand for, in their order. */
  readonly values: readonly string[];
  /** Which of them stand right after a `v`. */
  readonly afterV: readonly boolean[];
}

/** How the newest was found. */
export type Rule = 'only' | 'version' | 'date' | 'modified';

/** The newest of what a pattern matched. */
export interface Choice<C extends Candidate> {
  readonly chosen: C;
  readonly marks: readonly Mark[];
  readonly rule: Rule;
  /** For people: why this one, and what was passed over. */
  readonly because: string;
  readonly notes: readonly string[];
}

/** Several models match: which of them was meant, nobody can tell. */
export interface Ambiguity {
  readonly several: readonly string[];
}

/** Names a candidate by the words in it, besides versions and dates. */
interface Read<C> {
  readonly candidate: C;
  readonly marks: readonly Mark[];
  readonly kind: string;
}

/**
 * Chooses the newest: by the versions and dates in the names; by the time of the last change only when no name has any.
 * Names with other words beside their version are another model's (`v1.2_scaler`) and are passed over.
 * @param modifiedAt gives a candidate's time; asked only where names do not decide.
 */
export async function chooseNewest<C extends Candidate>(
  candidates: readonly C[],
  modifiedAt: (candidate: C) => Promise<number>,
): Promise<Choice<C> | Ambiguity> {
  const dayOrder = dayOrderOf(candidates.flatMap(({ values }) => values));
  const read = candidates.map((candidate): Read<C> => {
    const parts = candidate.values.map((value, index) =>
      readName(withoutExtension(value), { afterV: candidate.afterV[index] === true, dayOrder }),
    );
    return {
      candidate,
      marks: parts.flatMap(({ marks }) => marks),
      kind: parts.flatMap(({ words }) => words).join(' '),
    };
  });
  const marked = read.filter(({ marks }) => marks.length > 0);
  if (marked.length === 0) return byTime(read, modifiedAt);
  const kinds = [...new Set(marked.map(({ kind }) => kind))];
  const kind = kinds.includes('') ? '' : kinds[0];
  if (kind !== '' && kinds.length > 1) return { several: kinds };
  const ranked = await ranking(
    marked.filter((one) => one.kind === kind),
    modifiedAt,
  );
  const [best, second] = ranked;
  if (best === undefined) return { several: kinds };
  return { ...decided(best, second, ranked.length), notes: notesOn(read, ranked) };
}

async function byTime<C extends Candidate>(
  read: readonly Read<C>[],
  modifiedAt: (candidate: C) => Promise<number>,
): Promise<Choice<C> | Ambiguity> {
  const ranked = await ranking(read, modifiedAt);
  const [best] = ranked;
  if (best === undefined) return { several: [] };
  const rule = ranked.length === 1 ? 'only' : 'modified';
  const because =
    rule === 'only'
      ? 'the only match'
      : `the last modified of ${ranked.length}: their names hold no version and no date`;
  return { chosen: best.candidate, marks: [], rule, because, notes: [] };
}

/** The newest first; names that say the same as the newest by time, equal times by name. */
async function ranking<C extends Candidate>(
  read: readonly Read<C>[],
  modifiedAt: (candidate: C) => Promise<number>,
): Promise<Read<C>[]> {
  const sorted = [...read].sort((a, b) => compareMarks(b.marks, a.marks) || byPath(a, b));
  const rest = sorted.findIndex((one) => compareMarks(one.marks, sorted[0]?.marks ?? []) !== 0);
  const tied = rest < 0 ? sorted : sorted.slice(0, rest);
  if (tied.length < 2) return sorted;
  const times = new Map<Read<C>, number>();
  for (const one of tied) times.set(one, await modifiedAt(one.candidate));
  tied.sort((a, b) => (times.get(b) ?? 0) - (times.get(a) ?? 0) || byPath(a, b));
  return [...tied, ...sorted.slice(tied.length)];
}

function byPath<C extends Candidate>(a: Read<C>, b: Read<C>): number {
  return a.candidate.path < b.candidate.path ? 1 : -1;
}

function decided<C extends Candidate>(best: Read<C>, second: Read<C> | undefined, count: number) {
  const { candidate: chosen, marks } = best;
  if (second === undefined) return { chosen, marks, rule: 'only' as const, because: 'the only match' };
  const at = marks.findIndex((mark, index) => compareMarks([mark], second.marks.slice(index, index + 1)) !== 0);
  const mark = marks[at];
  if (mark === undefined) {
    const because = `the last modified of those that say ${textOf(marks)}`;
    return { chosen, marks, rule: 'modified' as const, because };
  }
  const before = second.marks[at]?.text;
  const because = `the newest of ${count} by ${mark.kind}: ${mark.text}${before === undefined ? '' : ` after ${before}`}`;
  return { chosen, marks, rule: mark.kind, because };
}

function notesOn<C extends Candidate>(read: readonly Read<C>[], ranked: readonly Read<C>[]): string[] {
  const passed = read.filter((one) => !ranked.includes(one)).map(({ candidate }) => candidate.path);
  const kinds = new Set(ranked.map(({ marks }) => marks[0]?.kind));
  return [
    ...(kinds.size > 1 ? ['some names hold versions and some dates: a version counts for newer than any date'] : []),
    ...(passed.length > 0 ? [`passed over, for other words or no version in the name: ${someOf(passed)}`] : []),
  ];
}

/** What marks say, as one text: `2-2024-01-31`. */
export function textOf(marks: readonly Mark[]): string {
  return marks.map(({ text }) => text).join('-');
}

/** A few of many names. */
export function someOf(names: readonly string[], most = 3): string {
  const rest = names.length - most;
  return names.slice(0, most).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

const EXTENSIONS = /(?:\.(?!v?\d)(?!(?:rc|alpha|beta|dev|post|pre|final|ga)\d*(?:\.|$))[a-z][a-z0-9]{0,11})+$/i;

/** A file name without what says its format: `.pkl`, `.tar.gz`; `v1.2` and `1.0.rc1` stay whole. */
export function withoutExtension(name: string): string {
  return name.replace(EXTENSIONS, '') || name;
}
