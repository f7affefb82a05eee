import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBlobStore } from '@ingot/core/blob/open';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import type { FindBase } from '@ingot/core/deploy/bake-options';
import { baseFromPackages } from '@ingot/core/deploy/base-packages';
import type { DebianArchive } from '@ingot/core/deploy/debian/archive-lists';
import { parseStanzas } from '@ingot/core/deploy/debian/stanzas';
import { IngotError } from '@ingot/core/errors';
import { cacheRoot } from '../address.ts';
import type { Context } from '../context.ts';
import { warningsOf } from '../open.ts';
import { verifySigned } from './verify-signed.ts';

/** The release whose Python most models were made with, and whose wheels are the oldest that are still usual. */
const DEFAULT_SUITE = 'bookworm';
const MIRROR = 'https://deb.debian.org/debian';
const SECURITY = 'https://deb.debian.org/debian-security';
const SNAPSHOT = 'https://snapshot.debian.org/archive';

/**
 * A base of Debian packages: `SUITE[@DATE][,PACKAGE…]`. They come from the mirror that this machine's `apt` is configured
 * with, else from Debian's own; with a date from Debian's snapshots of that time, so that the base stays the same.
 * @throws IngotError `usage`.
 */
export async function baseOfPackages(text: string, context: Context): Promise<FindBase> {
  const [place = '', ...packages] = text.split(',');
  const [, suite = DEFAULT_SUITE, date] = /^([a-z]+)?(?:@(\d{8}T\d{6}Z))?$/.exec(place) ?? [undefined, undefined];
  if (place !== '' && !/^[a-z]+(?:@\d{8}T\d{6}Z)?$/.test(place))
    throw new IngotError('usage', `"${place.slice(0, 60)}" is not a release of Debian`, {
      operation: 'bake',
      hint: '--base debian-packages:bookworm, or debian-packages:bookworm@20250701T000000Z for one that stays the same',
    });
  for (const name of packages)
    if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name))
      throw new IngotError('usage', `"${name.slice(0, 60)}" is no name of a Debian package`);
  const archives = date === undefined ? await archivesOf(suite) : datedArchives(suite, date);
  const stores = new Map<string, Promise<BlobStore>>();
  const open = (address: string): Promise<BlobStore> => {
    const opened =
      stores.get(address) ?? openBlobStore(address, { env: withoutSecrets(context), onWarning: warningsOf(context) });
    stores.set(address, opened);
    return opened;
  };
  return baseFromPackages({
    name: `debian-packages:${[place === '' ? suite : place, ...packages].join(',')}`,
    archives,
    packages,
    cache: join(cacheRoot(context.settings), 'images'),
    now: context.now,
    onProgress: context.progress.onProgress,
    reader: {
      async *read(address, path, { signal }) {
        yield* (await open(address)).read(path, { ...(signal && { signal }) });
      },
      verify: (signed, { signal }) => verifySigned(signed, { ...(signal && { signal }) }),
    },
  });
}

/** A mirror is asked by nobody: what opens a store is not for it. */
function withoutSecrets({ settings: { env } }: Context): Readonly<Record<string, string | undefined>> {
  return { ...env, INGOT_HTTP_USER: undefined, INGOT_HTTP_PASSWORD: undefined, INGOT_HTTP_TOKEN: undefined };
}

function datedArchives(suite: string, date: string): readonly DebianArchive[] {
  return [
    { address: `${SNAPSHOT}/debian/${date}`, suite, isDated: true },
    { address: `${SNAPSHOT}/debian-security/${date}`, suite: `${suite}-security`, isDated: true },
  ];
}

async function archivesOf(suite: string): Promise<readonly DebianArchive[]> {
  const known = await configuredArchives();
  const addressOf = (wanted: string, otherwise: string): string =>
    known.find((archive) => archive.suite === wanted)?.address ?? otherwise;
  return [
    { address: addressOf(suite, MIRROR), suite },
    { address: addressOf(`${suite}-security`, SECURITY), suite: `${suite}-security` },
  ];
}

/** What `apt` of this machine is configured with; nothing where there is none. Source: sources.list(5). */
async function configuredArchives(): Promise<readonly DebianArchive[]> {
  const folder = '/etc/apt/sources.list.d';
  const names = await readdir(folder).catch(() => []);
  const files = ['/etc/apt/sources.list', ...names.sort().map((name) => `${folder}/${name}`)];
  const texts = await Promise.all(
    files.map(async (file) => ({ file, text: await readFile(file, 'utf8').catch(() => '') })),
  );
  return texts.flatMap(({ file, text }) => (file.endsWith('.sources') ? fromStanzas(text) : fromLines(text)));
}

function fromStanzas(text: string): DebianArchive[] {
  return parseStanzas(text).flatMap((stanza) => {
    const words = (key: string): string[] => (stanza.get(key) ?? '').split(/\s+/).filter((word) => word !== '');
    if (!words('types').includes('deb') || stanza.get('enabled') === 'no') return [];
    return words('uris').flatMap((uri) => words('suites').flatMap((suite) => archiveOf(uri, suite)));
  });
}

function fromLines(text: string): DebianArchive[] {
  return text.split('\n').flatMap((line) => {
    const [, uri = '', suite = ''] = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/.exec(line) ?? [];
    return archiveOf(uri, suite);
  });
}

function archiveOf(uri: string, suite: string): DebianArchive[] {
  return /^https?:\/\//.test(uri) ? [{ address: uri.replace(/\/+$/, ''), suite }] : [];
}
