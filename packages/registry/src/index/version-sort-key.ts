/** Longest version text that is sorted; a longer one is no version of anything. */
const MAX_LENGTH = 200;

const PATTERN =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?dev[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/;

const PRE: Readonly<Record<string, string>> = {
  alpha: 'a',
  a: 'a',
  beta: 'b',
  b: 'b',
  c: 'r',
  rc: 'r',
  pre: 'r',
  preview: 'r',
};

/**
 * Gives a text that sorts, byte by byte, as Python's versions do (PEP 440): `1.5` before `1.10`, `2.0rc1` before `2.0`.
 * Undefined for a text that is no such version.
 */
export function versionSortKey(version: string): string | undefined {
  const match = version.length > MAX_LENGTH ? null : PATTERN.exec(version.trim().toLowerCase());
  if (match === null) return undefined;
  const [, epoch, release = '', pre, preNumber, bare, post, postNumber, dev, local] = match;
  const isPost = bare !== undefined || post !== undefined;
  const parts = [
    padded(epoch ?? '0'),
    ':',
    releaseKey(release),
    // Less than the dot before another part of the release: all of 1.5 comes before 1.5.1.
    '!',
    preKey(pre, preNumber, dev !== undefined && !isPost),
    isPost ? `p${padded(bare ?? (postNumber || '0'))}` : '0',
    dev === undefined ? 'z' : `d${padded(dev || '0')}`,
    local === undefined ? '' : `+${localKey(local)}`,
  ];
  return parts.join('');
}

function releaseKey(release: string): string {
  const parts = release.split('.').map(padded);
  while (parts.length > 1 && /^0+$/.test(parts.at(-1)?.slice(2) ?? '')) parts.pop();
  return parts.join('.');
}

function preKey(pre: string | undefined, number: string | undefined, isOnlyDev: boolean): string {
  if (pre !== undefined) return `${PRE[pre] ?? 'r'}${padded(number || '0')}`;
  return isOnlyDev ? '0' : 'z';
}

/** Numbers sort after words. */
function localKey(local: string): string {
  return local
    .split(/[-_.]/)
    .map((part) => (/^\d+$/.test(part) ? `1${padded(part)}` : `0${part}`))
    .join('.');
}

/** A whole number of any length, by its length first. */
function padded(digits: string): string {
  const stripped = digits.replace(/^0+(?=\d)/, '');
  return `${String(stripped.length).padStart(2, '0')}${stripped}`;
}
