import { IngotError, isIngotError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { someOf } from './choose.ts';
import { locationOf } from './location.ts';
import type { SourcePlace } from './place.ts';
import type { PlainAddress } from './plain-address.ts';

interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Enough to find what was meant; a bucket may hold millions. */
const MOST_NAMES = 1000;

/** Says that nothing is at an address, and what is nearest to it. Where listing is forbidden, nothing is near. */
export async function notFound(
  address: PlainAddress,
  place: SourcePlace,
  options: CallOptions = {},
): Promise<IngotError> {
  const { isPattern, text } = address;
  const { depth, names } = await namesThere(address, place, options);
  const near = nearestName(address.parts[depth]?.text ?? '', names);
  const others = near === undefined && names.length > 0 ? `; there is ${someOf(names)}` : '';
  const what = isPattern ? `nothing matches ${text}` : `there is nothing at ${text}`;
  return new IngotError('path-not-found', `${what}${others}`, {
    operation: 'source',
    details: { address: text },
    ...(near !== undefined && { nearest: withName(address, depth, near) }),
  });
}

/** The names in the innermost directory of an address that exists, and how deep that is. */
async function namesThere(
  { parts }: PlainAddress,
  place: SourcePlace,
  options: CallOptions,
): Promise<{ readonly depth: number; readonly names: readonly string[] }> {
  let [depth, above] = [0, ''];
  try {
    for (;;) {
      const names = await namesIn(place, above, options);
      const wanted = parts[depth];
      const isLast = depth >= parts.length - 1;
      if (wanted === undefined || wanted.isPattern || isLast || !names.includes(wanted.literal))
        return { depth, names };
      above = `${above}${wanted.literal}/`;
      depth += 1;
    }
  } catch (error) {
    if (!isIngotError(error, 'forbidden')) throw error;
    return { depth, names: [] };
  }
}

async function namesIn(place: SourcePlace, directory: string, options: CallOptions): Promise<string[]> {
  const names: string[] = [];
  const enters = (path: string): boolean => `${path}/`.length <= directory.length;
  for await (const entry of place.list(directory, { enters, ...options })) {
    names.push(entry.path.slice(directory.length));
    if (names.length >= MOST_NAMES) break;
  }
  return names;
}

function withName(address: PlainAddress, depth: number, name: string): string {
  const path = address.parts.map((part, index) => (index === depth ? name : part.text)).join('/');
  const { objectVersion: _, ...plain } = address;
  return locationOf(plain, { path, kind: address.isDirectory ? 'directory' : 'file' });
}

function nearestName(wanted: string, names: readonly string[]): string | undefined {
  const bare = wanted.replace(/[*?[\]]/g, '');
  return nearest(bare, names) ?? names.find((name) => bare !== '' && name.toLowerCase().startsWith(bare.toLowerCase()));
}
