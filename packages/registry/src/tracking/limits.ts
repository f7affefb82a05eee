import { IngotError } from '@ingot/core/errors';

/** The most that one call may log. */
export const BATCH_LIMITS = { metrics: 1000, params: 100, tags: 100, all: 1000 } as const;

/** Lengths that keys and values may have, in characters. */
export const LENGTHS = {
  key: 250,
  paramValue: 6000,
  tagValue: 8000,
  experimentName: 500,
  experimentTagValue: 20_000,
  modelTagValue: 100_000,
  alias: 255,
  datasetName: 500,
  datasetDigest: 36,
  datasetSource: 65_535,
  datasetSchema: 1_048_575,
  artifactLocation: 1024,
} as const;

const KEY = /^[^\p{C}\p{Zl}\p{Zp}]+$/u;
const PLAIN_KEY = /^[/\w.\- :]*$/;

/**
 * Refuses a key that could not be a metric, param or tag.
 * @param what `metric`, `parameter`, `tag`; `path` says where it stood: `metrics[3].name`.
 * @throws IngotError `usage`.
 */
export function checkKey(what: string, key: string, path: string): void {
  if (key === '')
    throw new IngotError('usage', `Missing value for required parameter '${path}'. A key name must be provided.`);
  checkLength(what, key, LENGTHS.key, path);
  if (!PLAIN_KEY.test(key) && !isWords(key))
    throw invalid(
      path,
      key,
      'Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).',
    );
  if (isPathUnique(key)) return;
  throw invalid(
    path,
    key,
    'Names may be treated as files in certain cases, and must not resolve to other names when treated as such.',
  );
}

/** Letters of any script are as good as those of one. */
function isWords(key: string): boolean {
  return KEY.test(key) && /^[\p{L}\p{M}\p{N}/_.\- :]*$/u.test(key);
}

function isPathUnique(key: string): boolean {
  if (key.startsWith('/') || key.endsWith('/')) return false;
  return key.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** Refuses a text that is longer than it may be. Throws `usage`. */
export function checkLength(what: string, value: string, limit: number, path = what): void {
  if (value.length <= limit) return;
  throw new IngotError(
    'usage',
    `Invalid value ${JSON.stringify(value.slice(0, 100))}… for parameter '${path}' supplied: ${what} had length ${value.length}, which exceeded length limit of ${limit}`,
  );
}

/** What is kept of a text that may be too long: MLflow cuts values of params and of tags of runs, and refuses none. */
export function cutTo(limit: number, value: string): string {
  return value.length <= limit ? value : value.slice(0, limit);
}

/** The error of a value that cannot be. */
export function invalid(path: string, value: unknown, why?: string): IngotError {
  const shown = JSON.stringify(value) ?? 'undefined';
  const short = shown.length > 300 ? `${shown.slice(0, 300)}…` : shown;
  const because = why === undefined ? '.' : `: ${why}`;
  return new IngotError('usage', `Invalid value ${short} for parameter '${path}' supplied${because}`);
}
