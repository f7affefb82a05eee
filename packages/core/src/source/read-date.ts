import type { DateMark } from './marks.ts';

/** A date at the start of a text, and how many characters it takes. */
export interface FoundDate {
  readonly mark: DateMark;
  readonly length: number;
}

/** How `03-04-2024` is to be read; undefined: nobody knows. */
export type DayOrder = 'day-first' | 'month-first' | undefined;

const YEAR = '((?:19|20)\\d\\d)';
const MONTH = '(0[1-9]|1[0-2])';
const DAY = '(0[1-9]|[12]\\d|3[01])';
const NAMES = 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec';
const NAMED = `(${NAMES})[a-z]*`;
/** Without a day beside it, only what is a month and nothing else: no `marketing`. */
const MONTH_WORD =
  '(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)';

const EXTENDED = new RegExp(`^${YEAR}([-_.])${MONTH}\\2${DAY}(?!\\d)`);
const BASIC = new RegExp(`^${YEAR}${MONTH}${DAY}`);
const WEEK = new RegExp(`^${YEAR}-?w(0[1-9]|[1-4]\\d|5[0-3])(?:-?([1-7]))?(?![0-9a-z])`, 'i');
const QUARTER = new RegExp(`^${YEAR}[-_.]?q([1-4])(?![0-9a-z])`, 'i');
const EXTENDED_SHORT = new RegExp(`^${YEAR}([-_])(\\d{1,2})\\2(\\d{1,2})(?!\\d)`);
const YEAR_NAMED_DAY = new RegExp(`^${YEAR}[-_. ]?${NAMED}[-_. ]?(\\d{1,2})(?!\\d)`, 'i');
const DAY_NAMED_YEAR = new RegExp(`^(\\d{1,2})(?:[-_. ]|\\. )?${NAMED}[-_. ]?${YEAR}(?!\\d)`, 'i');
const NAMED_DAY_YEAR = new RegExp(`^${NAMED}[-_. ]?(\\d{1,2})[-_. ,]+${YEAR}(?!\\d)`, 'i');
const YEAR_NAMED = new RegExp(`^${YEAR}[-_. ]?${MONTH_WORD}(?![0-9a-z])`, 'i');
const NAMED_YEAR = new RegExp(`^${MONTH_WORD}[-_. ]?${YEAR}(?!\\d)`, 'i');
const NUMBERS_YEAR = new RegExp(`^(\\d{1,2})([-_.])(\\d{1,2})\\2${YEAR}(?!\\d)`);
const YEAR_MONTH = new RegExp(`^${YEAR}[-_]?${MONTH}(?![\\d.])`);
const YEAR_ALONE = new RegExp(`^${YEAR}(?!\\d|\\.\\d|[a-z])`, 'i');
const SECONDS = /^(1\d{9})(?![\d.a-z])/i;
const MILLISECONDS = /^(1\d{12})(?![\d.a-z])/i;
const TIME = /^([Tt_\- .]?)([01]\d|2[0-3])([:_\-.h]?)([0-5]\d)(?:\3([0-5]\d)(?:[.,_]?(\d{3,9}))?)?(?!\d)/;
const ZONE = /^(?:z(?![a-z])|([+-])(\d\d):?(\d\d)(?!\d))/i;

/** Reads a date at the start of a text, with the time of day that follows it; undefined where none begins. */
export function readDate(text: string, order?: DayOrder): FoundDate | undefined {
  return (
    withTime(text, EXTENDED, ([, year, , month, day]) => utc(year, month, day), true) ??
    withTime(text, EXTENDED_SHORT, ([, year, , month, day]) => utc(year, month, day), true) ??
    withTime(text, BASIC, ([, year, month, day]) => utc(year, month, day), false) ??
    withTime(text, YEAR_NAMED_DAY, ([, year, month, day]) => utc(year, monthNumber(month), day), true) ??
    withTime(text, DAY_NAMED_YEAR, ([, day, month, year]) => utc(year, monthNumber(month), day), true) ??
    withTime(text, NAMED_DAY_YEAR, ([, month, day, year]) => utc(year, monthNumber(month), day), true) ??
    withTime(text, NUMBERS_YEAR, (match) => numbersThenYear(match, order), true) ??
    plain(text, YEAR_NAMED, ([, year, month]) => utc(year, monthNumber(month), '1')) ??
    plain(text, NAMED_YEAR, ([, month, year]) => utc(year, monthNumber(month), '1')) ??
    plain(text, WEEK, ([, year, week, day]) => startOfWeek(Number(year), Number(week), Number(day ?? 1))) ??
    plain(text, QUARTER, ([, year, quarter]) => Date.UTC(Number(year), 3 * (Number(quarter) - 1))) ??
    plain(text, MILLISECONDS, ([, value]) => Number(value)) ??
    plain(text, SECONDS, ([, value]) => 1000 * Number(value)) ??
    plain(text, YEAR_MONTH, ([, year, month]) => utc(year, month, '1')) ??
    plain(text, YEAR_ALONE, ([, year]) => Date.UTC(Number(year)))
  );
}

/** Says what a `31-01-2024` among some names tells about the order of all of them. */
export function dayOrderOf(texts: readonly string[]): DayOrder {
  const found = texts.flatMap((text) => [...text.matchAll(/(?<!\d)(\d{1,2})([-_.])(\d{1,2})\2(?:19|20)\d\d(?!\d)/g)]);
  const dayFirst = found.some(([, first]) => Number(first) > 12);
  const monthFirst = found.some(([, , , second]) => Number(second) > 12);
  return dayFirst === monthFirst ? undefined : dayFirst ? 'day-first' : 'month-first';
}

type Match = readonly (string | undefined)[];

function plain(text: string, pattern: RegExp, at: (match: Match) => number | undefined): FoundDate | undefined {
  const match = pattern.exec(text);
  const atMs = match === null ? undefined : at(match);
  if (match === null || atMs === undefined) return undefined;
  return { mark: { kind: 'date', atMs, text: match[0] }, length: match[0].length };
}

function withTime(
  text: string,
  pattern: RegExp,
  at: (match: Match) => number | undefined,
  needsSeparator: boolean,
): FoundDate | undefined {
  const date = plain(text, pattern, at);
  if (date === undefined) return undefined;
  const rest = text.slice(date.length);
  const time = TIME.exec(rest);
  if (time === null || (needsSeparator && time[1] === '')) return /^\d/.test(rest) ? undefined : date;
  const zone = /^[Tt]$/.test(time[1] ?? '') ? ZONE.exec(rest.slice(time[0].length)) : null;
  const length = date.length + time[0].length + (zone?.[0].length ?? 0);
  const atMs = date.mark.atMs + millisecondsOf(time) - offsetOf(zone);
  return { mark: { kind: 'date', atMs, text: text.slice(0, length) }, length };
}

function millisecondsOf([, , hour, , minute, second, fraction]: Match): number {
  const seconds = 3600 * Number(hour) + 60 * Number(minute) + Number(second ?? 0);
  return 1000 * seconds + Math.floor(1000 * Number(`0.${fraction ?? '0'}`));
}

function offsetOf(zone: Match | null): number {
  if (zone?.[1] === undefined) return 0;
  const minutes = 60 * Number(zone[2]) + Number(zone[3]);
  return (zone[1] === '-' ? -1 : 1) * 60_000 * minutes;
}

/** Undefined for a day that no calendar has, so that `2024-02-31` is no date. */
function utc(year: string | undefined, month: string | undefined, day: string | undefined): number | undefined {
  const atMs = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const date = new Date(atMs);
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day) ? atMs : undefined;
}

function monthNumber(name: string | undefined): string {
  return String(NAMES.split('|').indexOf((name ?? '').slice(0, 3).toLowerCase()) + 1);
}

/** `31-01-2024` and `01-31-2024` say themselves which is the day; `03-04-2024` does not. */
function numbersThenYear([, first, , second, year]: Match, order: DayOrder): number | undefined {
  const chosen = order ?? (Number(first) > 12 ? 'day-first' : Number(second) > 12 ? 'month-first' : undefined);
  if (chosen === undefined) return first === second ? utc(year, first, second) : undefined;
  return chosen === 'day-first' ? utc(year, second, first) : utc(year, first, second);
}

/** ISO 8601: week 1 is the one with 4 January in it. */
function startOfWeek(year: number, week: number, day: number): number {
  const fourth = new Date(Date.UTC(year, 0, 4));
  const monday = fourth.getTime() - ((fourth.getUTCDay() + 6) % 7) * 86_400_000;
  return monday + (7 * (week - 1) + day - 1) * 86_400_000;
}
