import { isIngotError } from '../errors.ts';
import { parseLabel } from '../ref.ts';
import { textOf } from './choose.ts';
import { type Mark, wholeNumber } from './marks.ts';
import { isVersionName } from './model-name.ts';
import { readName } from './read-name.ts';

/** What is called which version, as its name says it. */
export interface SourceVersion {
  /** For people and for the address of an answer: `1.2`, `3`, `2024-01-31`, or the time of the last change. */
  readonly text: string;
  /** The text, where it can be a label. */
  readonly label?: string;
  /** Where the name holds a whole number and nothing else. */
  readonly number?: number;
  /** ISO 8601, where the name holds a date. */
  readonly date?: string;
}

/** What is said of a version by the marks in its name; without any, by the time of its last change. */
export function versionOf(marks: readonly Mark[], modifiedAt: Date): SourceVersion {
  if (marks.length === 0) return { text: compactTime(modifiedAt) };
  const text = textOf(marks);
  const number = wholeNumber(marks);
  const date = marks.find((mark) => mark.kind === 'date');
  const label = number === undefined ? labelFor(text, date?.atMs) : undefined;
  return {
    text: number === undefined ? (label ?? plainText(text)) : String(number),
    ...(label !== undefined && { label }),
    ...(number !== undefined && { number }),
    ...(date !== undefined && { date: new Date(date.atMs).toISOString() }),
  };
}

/** The text as written where it can be a label; a date of digits alone is written with dashes. */
function labelFor(text: string, atMs: number | undefined): string | undefined {
  const written = text.replace(/[\s:,]+/g, '-');
  for (const candidate of [written, atMs === undefined ? `v${written}` : isoText(atMs)]) {
    try {
      return parseLabel(candidate);
    } catch (error) {
      if (!isIngotError(error, 'invalid-name')) throw error;
    }
  }
  return undefined;
}

/** What a version is called goes into headers and paths of URLs. */
function plainText(text: string): string {
  return text.replace(/[^A-Za-z0-9._+-]+/g, '-').slice(0, 100);
}

function isoText(atMs: number): string {
  const text = new Date(atMs).toISOString();
  return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : compactTime(new Date(atMs));
}

/** `20240131T120000Z`. */
function compactTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** What the innermost of some names says about age, or else the next above it that is nothing but a version. */
export function marksIn(names: readonly string[]): readonly Mark[] {
  const [own, ...above] = [...names].reverse();
  const { marks } = readName(own ?? '');
  if (marks.length > 0) return marks;
  const versioned = above.find(isVersionName);
  return versioned === undefined ? [] : readName(versioned).marks;
}
