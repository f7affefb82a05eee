import { IngotError } from '@ingot/core/errors';

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/**
 * Reads an age in milliseconds: `90d`, `12h`, `30min`, `0`.
 * @throws IngotError `usage` naming the flag.
 */
export function parseAge(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = (match?.[2] ?? '').toLowerCase();
  const value = Number(match?.[1]);
  const factor = unit === '' && value === 0 ? 1 : UNITS[unit];
  if (match === null || factor === undefined)
    throw new IngotError('usage', `${flag} is "${text}"; write an age: 90d, 12h or 30min`);
  return Math.round(value * factor);
}
