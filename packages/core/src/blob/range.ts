import { IngotError } from '../errors.ts';
import type { ByteRange } from './blob-store.ts';

/** A range with both ends known. */
export interface FullRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Checks a range before anything is read.
 * @throws IngotError `usage` when its numbers are negative, fractional or the wrong way round.
 */
export function checkRange(range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { start, end } = range;
  const whole = Number.isSafeInteger(start) && start >= 0 && (end === undefined || Number.isSafeInteger(end));
  if (whole && (end === undefined || end >= start)) return;
  throw new IngotError('usage', `${start} to ${end ?? 'the end'} is not a range of bytes`);
}

/**
 * Fits a checked range to a blob of known size.
 * @throws IngotError `integrity` when the blob ends before the range does.
 */
export function fitRange(key: string, sizeBytes: number, range: ByteRange | undefined): FullRange {
  const { start, end } = { start: range?.start ?? 0, end: range?.end ?? sizeBytes };
  if (start <= sizeBytes && end <= sizeBytes) return { start, end };
  throw new IngotError(
    'integrity',
    `blob "${key}" has ${sizeBytes} bytes and ends before the range ${start} to ${range?.end ?? 'the end'}`,
    { details: { key, sizeBytes } },
  );
}
