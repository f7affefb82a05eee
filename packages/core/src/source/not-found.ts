import { IngotError, isIngotError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { someOf } from './choose.ts';
import type { GlobPart } from './glob.ts';
import { locationOf } from './location.ts';
import type { SourcePlace } from './place.ts';
import type { PlainAddress } from './plain-address.ts';

interface CallOptions {
  readonly signal?: AbortSignal;
  /** Opens other directories of the same storage, to find what is near. Default: only the address's own is looked at. */
  readonly open?: (address: PlainAddress) => Promise<SourcePlace>;
}

/** Enough to find what was meant; a bucket may hold millions. */
const MOST_NAMES = 1000;

/** Says that nothing is at an address, and what is nearest to it. Where listing is forbidden, nothing is near. */
export async function notFound(
  address: PlainAddress,
  place: SourcePlace,
  options: CallOptions = {},
): Promise<IngotError> {
  const noVersion = await versionNotFound(address, place, options);
  if (noVersion !== undefined) return noVersion;
  const { isPattern, isDirectory, parts } = address;
  const { depth, names } = await namesThere(address, place, options);
  const wanted = parts[depth];
  if (!isPattern && depth === parts.length - 1 && names.includes(wanted?.literal ?? '')) {
    const isFile =
      isDirectory && (await place.file(parts.map(({ literal }) => literal).join('/'), options)) !== undefined;
    return pathNotFound(
      address,
      `${address.text} ${isFile ? 'is a file: leave out the / at its end' : 'holds no files'}`,
    );
  }
  const near = nearestName(wanted, names);
  const others = near === undefined && names.length > 0 ? `; there is ${someOf(names)}` : '';
  const what = isPattern ? `nothing matches ${address.text}` : `there is nothing at ${address.text}`;
  const nearby = near === undefined ? await nearestAbove() : withName(address, depth, near);
  return pathNotFound(address, `${what}${others}`, nearby);

  /** Where nothing lies below the root, it is the root that is mistyped. */
  async function nearestAbove(): Promise<string | undefined> {
    return names.length > 0 || options.open === undefined ? undefined : nearestRoot(address, options.open, options);
  }
}

function pathNotFound({ text, scheme }: PlainAddress, message: string, nearest?: string): IngotError {
  const near = nearest === undefined ? {} : { nearest };
  const hint = /^https?$/.test(scheme) && nearest === undefined ? { hint: WEB_SERVERS } : {};
  return new IngotError('path-not-found', message, {
    operation: 'source',
    details: { address: text },
    ...near,
    ...hint,
  });
}

const WEB_SERVERS = 'name one file; a web server shows what else there is only with index pages (nginx: autoindex on)';

/** The directory above that exists, with the name in it that is nearest to what the address says. */
async function nearestRoot(
  address: PlainAddress,
  open: (address: PlainAddress) => Promise<SourcePlace>,
  options: CallOptions,
): Promise<string | undefined> {
  const [base = '', ...query] = address.root.split(/(?=\?)/);
  const segments = base.split('/');
  for (let kept = address.rootNames.length - 1; kept >= 1; kept -= 1) {
    const above = segments.slice(0, kept - address.rootNames.length).join('/');
    const place = await open({ ...address, root: [above, ...query].join('') });
    const names = await namesIn(place, '', options);
    const near = nearest(address.rootNames[kept] ?? '', names);
    const below = [...address.rootNames.slice(kept + 1), ...address.parts.map(({ text }) => text)];
    if (near === address.rootNames[kept]) return undefined;
    if (near !== undefined) return withNames({ ...address, root: [above, ...query].join('') }, [near, ...below]);
    if (names.length > 0) return undefined;
  }
  return undefined;
}

/** Says that the storage has the file and not this version of it. */
async function versionNotFound(
  address: PlainAddress,
  place: SourcePlace,
  options: CallOptions,
): Promise<IngotError | undefined> {
  const { objectVersion, parts } = address;
  if (objectVersion === undefined) return undefined;
  const path = parts.map(({ literal }) => literal).join('/');
  const newest = await place.file(path, options);
  if (newest === undefined) return undefined;
  const { objectVersion: _, ...plain } = address;
  const file = locationOf(plain, { path, kind: 'file' });
  const near = newest.objectVersion === undefined ? plain : { ...address, objectVersion: newest.objectVersion };
  return pathNotFound(address, `${file} has no version "${objectVersion}"`, locationOf(near, { path, kind: 'file' }));
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
  for await (const entry of place.list(directory, { enters, ...(options.signal && { signal: options.signal }) })) {
    names.push(entry.path.slice(directory.length));
    if (names.length >= MOST_NAMES) break;
  }
  return names;
}

function withName(address: PlainAddress, depth: number, name: string): string {
  return withNames(
    address,
    address.parts.map((part, index) => (index === depth ? name : part.text)),
  );
}

function withNames(address: PlainAddress, names: readonly string[]): string {
  const path = names.join('/');
  const { objectVersion: _, ...plain } = address;
  return locationOf(plain, { path, kind: address.isDirectory ? 'directory' : 'file' });
}

/** For a pattern the nearest is a pattern, too: names with a star where their numbers are. */
function nearestName(wanted: GlobPart | undefined, names: readonly string[]): string | undefined {
  if (wanted === undefined) return undefined;
  const shapes = wanted.isPattern ? names.map((name) => name.replace(/\d(?:[\d._-]*\d)?/g, '*')) : [];
  const bare = wanted.text.replace(/[*?[\]]/g, '');
  const start = bare.toLowerCase();
  return (
    nearest(wanted.text, [...new Set(shapes)]) ??
    nearest(bare, names) ??
    names.find((name) => start !== '' && name.toLowerCase().startsWith(start))
  );
}
