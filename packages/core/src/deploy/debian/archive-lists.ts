import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { IngotError, isIngotError } from '../../errors.ts';
import { unpackXz } from '../../package/foreign/xz.ts';
import { type DebianPackage, packageFrom } from './choose-packages.ts';
import { parseStanzas, streamStanzas } from './stanzas.ts';

/** An archive of Debian packages: where it is, and what of it is used. */
export interface DebianArchive {
  /** `https://deb.debian.org/debian`. */
  readonly address: string;
  /** `bookworm`, `bookworm-security`. */
  readonly suite: string;
  /** It is kept as it was at some time, so that its releases may have ended. Default: false. */
  readonly isDated?: boolean;
}

/** How archives are read. */
export interface ArchiveReader {
  /** Streams a file of an archive. */
  read(address: string, path: string, options: { readonly signal?: AbortSignal }): AsyncIterable<Uint8Array>;
  /**
   * Gives the text of a signed `InRelease` without its signature.
   * @throws IngotError `refused` when nobody trusted has signed it, or it cannot be checked here.
   */
  verify(signed: Uint8Array, options: { readonly signal?: AbortSignal }): Promise<string>;
}

/** A list of packages that a signed release names. */
export interface ReleasedList {
  readonly archive: DebianArchive;
  /** Path below the archive. */
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

const MAX_RELEASE_BYTES = 16 * 1024 * 1024;
const MAX_LIST_BYTES = 256 * 1024 * 1024;

/**
 * Finds the list of packages of an architecture in the release of an archive, whose signature and age are checked.
 * @throws IngotError `refused` (signature, an old release replayed), `not-found` (no such suite or architecture).
 */
export async function releasedList(
  archive: DebianArchive,
  architecture: string,
  reader: ArchiveReader,
  options: { readonly signal?: AbortSignal; readonly now: Date },
): Promise<ReleasedList> {
  const at = `dists/${archive.suite}`;
  const signed = await readAll(
    reader.read(archive.address, `${at}/InRelease`, options),
    MAX_RELEASE_BYTES,
    `${archive.address}/${at}/InRelease`,
  );
  const [release] = parseStanzas(await reader.verify(signed, options));
  const validUntil = release?.get('valid-until');
  if (archive.isDated !== true && validUntil !== undefined && Date.parse(validUntil) < options.now.getTime())
    throw new IngotError('refused', `the release of ${archive.suite} at ${archive.address} ended on ${validUntil}`, {
      operation: 'bake',
      hint: 'name another mirror: this one no longer follows, or is replayed',
    });
  const lines = (release?.get('sha256') ?? '').split('\n').map((line) => line.trim().split(/\s+/));
  for (const ending of ['.xz', '.gz']) {
    const wanted = `main/binary-${architecture}/Packages${ending}`;
    const [sha256, size] = lines.find(([, , path]) => path === wanted) ?? [];
    const sizeBytes = Number(size);
    if (sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) && sizeBytes <= MAX_LIST_BYTES)
      return { archive, path: `${at}/${wanted}`, sha256, sizeBytes };
  }
  throw new IngotError('not-found', `${archive.suite} at ${archive.address} has no packages for ${architecture}`, {
    operation: 'bake',
    details: { architectures: release?.get('architectures') ?? '' },
  });
}

/** Reads the packages of a list, checked. Throws `integrity`. */
export async function* readList(
  list: ReleasedList,
  reader: ArchiveReader,
  options: { readonly signal?: AbortSignal },
): AsyncGenerator<DebianPackage, void> {
  const { archive, path, sha256, sizeBytes } = list;
  const what = `${archive.address}/${path}`;
  const bytes = await readAll(reader.read(archive.address, path, options), sizeBytes, what);
  checkSha256(bytes, sha256, what);
  const plain = path.endsWith('.xz')
    ? unpackXz(one(bytes), what)
    : one(gunzipSync(bytes, { maxOutputLength: MAX_LIST_BYTES }));
  for await (const stanza of streamStanzas(plain)) {
    const found = packageFrom(stanza, archive.address);
    if (found !== undefined) yield found;
  }
}

/** Throws `integrity` when bytes have another SHA-256. */
export function checkSha256(bytes: Uint8Array, sha256: string, what: string): void {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found === sha256) return;
  throw new IngotError('integrity', `${what} has other bytes than its archive says: sha256 ${found}`, {
    operation: 'bake',
  });
}

async function readAll(pieces: AsyncIterable<Uint8Array>, maxBytes: number, what: string): Promise<Buffer> {
  const held: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      bytes += piece.byteLength;
      if (bytes > maxBytes)
        throw new IngotError('integrity', `${what} is larger than ${maxBytes} bytes`, { operation: 'bake' });
      held.push(piece);
    }
  } catch (error) {
    if (!isIngotError(error, 'content-not-found', 'path-not-found', 'not-found')) throw error;
    throw new IngotError('not-found', `there is no ${what}`, { operation: 'bake', cause: error });
  }
  return Buffer.concat(held);
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
