import type { Value } from './expression.ts';

/** Times from `from` on and before `before`, ISO 8601 in UTC as logs have them. */
export interface Span {
  readonly from: string;
  readonly before: string;
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
const LATEST_MS = Date.UTC(9999, 11, 31);
const MOMENT =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?)?)?$/;

/**
 * Reads a time as the span that it means: a year, month, day, minute or second (in UTC, unless it says otherwise), `-7d`
 * (also `s m h w`), `now`, or milliseconds since 1970. Undefined for anything else.
 */
export function parseSpan({ text, number, isQuoted }: Value, now: Date): Span | undefined {
  if (/^now$/i.test(text)) return point(now.getTime());
  const [, count, unit = ''] = /^-(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  if (count !== undefined && unitMs !== undefined) return point(now.getTime() - Number(count) * unitMs);
  const moment = MOMENT.exec(text);
  if (moment !== null && isYear(moment[1])) return spanOf(moment);
  return number !== undefined && !isQuoted ? point(number) : undefined;
}

// Four digits alone are a year, not the first seconds of 1970.
function isYear(year: string | undefined): boolean {
  return Number(year) >= 1000;
}

function spanOf([, year, month, day, hour, minute, second, fraction, zone]: RegExpExecArray): Span | undefined {
  const given = [year, month, day, hour, minute, second].map((part) => (part === undefined ? undefined : Number(part)));
  const [y = 1970, mo = 1, d = 1, h = 0, mi = 0, s = 0] = given;
  const ms = fraction === undefined ? 0 : Math.trunc(Number(`0.${fraction}`) * 1000);
  const start = Date.UTC(y, mo - 1, d, h, mi, s, ms);
  const back = new Date(start);
  const isReal = back.getUTCMonth() === mo - 1 && back.getUTCDate() === d && h < 24 && mi < 60 && s < 60;
  if (!isReal) return undefined;
  const from = start - offsetMs(zone);
  const shift = from - start;
  if (fraction !== undefined) return between(from, from + 1);
  if (second !== undefined) return between(from, from + 1000);
  if (minute !== undefined) return between(from, from + 60_000);
  if (day !== undefined) return between(from, from + 864e5);
  return between(from, (month === undefined ? Date.UTC(y + 1, 0) : Date.UTC(y, mo)) + shift);
}

function offsetMs(zone: string | undefined): number {
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone ?? '') ?? [];
  return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 36e5 + Number(minutes) * 6e4);
}

function point(ms: number): Span | undefined {
  return Number.isFinite(ms) ? between(Math.trunc(ms), Math.trunc(ms) + 1) : undefined;
}

/** What lies before 1970 or after 9999 is as early, or as late, as anything can be: logs have four digits of year. */
function between(fromMs: number, beforeMs: number): Span {
  const iso = (ms: number): string => new Date(Math.max(0, Math.min(LATEST_MS, ms))).toISOString();
  return { from: iso(fromMs), before: iso(beforeMs) };
}
