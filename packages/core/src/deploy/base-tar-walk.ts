import { createGunzip } from 'node:zlib';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { IngotError } from '../errors.ts';
import { readTar, type TarItem } from '../package/foreign/tar-read.ts';

/** More members than any image has. */
const MAX_MEMBERS = 4_000_000;

/**
 * Walks the members of a layer or root file system with paths as they will be in the image, without a leading slash.
 * @param what names the tar in errors.
 * @throws IngotError `invalid-package` for a member that a careless unpacker would put elsewhere: an absolute path, `..`,
 * a hard link out of the image, a whiteout of `..`, whatever lies below a symbolic link out of it, a device anywhere but in `dev`; and for
 * what is no tar. Symbolic links themselves may lead anywhere: in a container nothing is above its root.
 */
export async function* walkImageTar(bytes: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<TarItem, void> {
  let members = 0;
  const leadingOut = new Set<string>();
  for await (const item of readTar(bytes, what)) {
    members += 1;
    if (members > MAX_MEMBERS) throw hostile(what, `it has more than ${MAX_MEMBERS} members`);
    const path = insidePath(item.path, what);
    if (path === '') continue;
    if (/(?:^|\/)\.wh\.\.{0,2}$/.test(path))
      throw hostile(what, `it hides ${JSON.stringify(path.slice(0, 120))}, a folder above`);
    const through = leadingOut.size === 0 ? undefined : foldersOf(path).find((folder) => leadingOut.has(folder));
    if (through !== undefined)
      throw hostile(what, `it has ${JSON.stringify(path.slice(0, 120))} below a link that leads out of the image`);
    if (item.linkKind === 'hardlink') insidePath(item.target ?? '', what);
    if (item.linkKind === 'symlink' && climbs(path, item.target ?? '')) leadingOut.add(path);
    if (item.isDevice && !/^dev\//.test(path)) throw hostile(what, `it has a device at ${JSON.stringify(path)}`);
    yield { ...item, path };
  }
}

/** A path as it is in the image; empty for its root. */
function insidePath(path: string, what: string): string {
  const shown = JSON.stringify(path.slice(0, 120));
  if (path.includes('\0')) throw hostile(what, `it has the path ${shown}, which holds a zero byte`);
  if (path.startsWith('/')) throw hostile(what, `it has the absolute path ${shown}`);
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw hostile(what, `it has the path ${shown}, which leads out of the image`);
  return parts.join('/');
}

/** `a` and `a/b` of `a/b/c`. */
function foldersOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, n) => parts.slice(0, n + 1).join('/'));
}

function climbs(path: string, target: string): boolean {
  return !target.startsWith('/') && /^\.\.(?:\/|$)/.test(posix.join(posix.dirname(path), target));
}

/** Unpacks what a layer is compressed with. Damage ends in `invalid-package`. */
export async function* gunzipped(bytes: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array, void> {
  const source = Readable.from(bytes, { objectMode: false });
  const gunzip = createGunzip();
  let failure: unknown;
  source.on('error', (error) => {
    failure = error;
    gunzip.destroy(error);
  });
  try {
    for await (const piece of source.pipe(gunzip)) {
      const part: Buffer = piece;
      yield part;
    }
  } catch (cause) {
    if (failure !== undefined) throw failure;
    throw new IngotError('invalid-package', `${what} cannot be unpacked: its gzip is damaged`, {
      operation: 'bake',
      cause,
    });
  } finally {
    source.destroy();
  }
}

function hostile(what: string, why: string): IngotError {
  return new IngotError('invalid-package', `${what} is not used: ${why}`, {
    operation: 'bake',
    hint: 'use a base image from somebody you trust',
  });
}
