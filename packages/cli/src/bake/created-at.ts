import { IngotError } from '@ingot/core/errors';

/**
 * The time that an image says it was created, where `SOURCE_DATE_EPOCH` names one. Files keep the time 0, so that layers
 * stay the same. Source: reproducible-builds.org, SOURCE_DATE_EPOCH.
 * @throws IngotError `usage` when it is no number of seconds.
 */
export function createdAt(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const text = env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === '') return undefined;
  const seconds = Number(text);
  if (/^\d{1,11}$/.test(text)) return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
  throw new IngotError('usage', `SOURCE_DATE_EPOCH=${text.slice(0, 40)} is no number of seconds since 1970`, {
    operation: 'bake',
  });
}
