import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '../errors.ts';
import { canonicalJson, isJsonObject, parseJson } from '../json.ts';
import { createOciDigester, isOciDigest, ociDigestOf } from '../oci/digest.ts';
import { OCI_MEDIA_TYPES } from '../oci/media-types.ts';
import type { Descriptor, OciDigest, OciOptions } from '../oci/oci-place.ts';
import type { FindBase } from './bake-options.ts';
import { factsOf } from './base-facts.ts';
import type { BaseImage } from './base-image.ts';
import { gunzipped, walkImageTar } from './base-tar-walk.ts';
import { readOr, replaceFile } from './layer-records.ts';
import { watched } from './layer-stream.ts';
import { storedGzip } from './stored-gzip.ts';

/** A root file system in a tar, and where to keep what was found in it. */
export interface RootfsFile {
  /** The file, plain or compressed with gzip. */
  readonly file: string;
  /** As it was asked for. */
  readonly name: string;
  /** Directory of the cache. */
  readonly cache: string;
}

/** Counted up when the same tar gives another layer. */
const ROOTFS_FORMAT = 2;

interface RootfsLayer {
  /** Of a plain tar, which is framed as gzip: not every tool reads layers that are not. Absent where it is compressed. */
  readonly tarBytes?: number;
  readonly descriptor: Descriptor;
  readonly diffId: OciDigest;
}

/**
 * A root file system as a base of one layer: the tar as it is, whoever made it. It is read once, and again when its size
 * or times change.
 * @throws IngotError `path-not-found`; `invalid-package` for what is no tar, or has members that lead out of an image.
 */
export function baseFromRootfs(rootfs: RootfsFile): FindBase {
  return async (platform, { signal } = {}) => {
    const layer = await layerOf(rootfs, { ...(signal && { signal }) });
    const base: BaseImage = {
      name: rootfs.name,
      platform,
      layers: [layer],
      config: { env: [], labels: {} },
      configJson: {},
      facts: (options) => factsOf(base, rootfs.cache, options),
      readLayer: () => layerBytes(rootfs.file, layer.tarBytes),
    };
    return base;
  };
}

function layerBytes(file: string, tarBytes: number | undefined): AsyncIterable<Uint8Array> {
  const bytes = createReadStream(file, { highWaterMark: 1024 * 1024 });
  return tarBytes === undefined ? bytes : storedGzip(bytes, tarBytes);
}

async function layerOf(rootfs: RootfsFile, options: OciOptions): Promise<RootfsLayer> {
  const { file, cache } = rootfs;
  const marks = await marksOf(file);
  const path = join(
    cache,
    'rootfs',
    `${ociDigestOf(canonicalJson([ROOTFS_FORMAT, file, ...marks])).slice('sha256:'.length)}.json`,
  );
  const known = layerFrom(await readOr(path));
  if (known !== undefined) return known;
  const layer = await readLayer(rootfs, options);
  if (String(await marksOf(file)) !== String(marks))
    throw new IngotError('source-changed', `${file} changed while it was read`, { operation: 'bake' });
  await replaceFile(path, canonicalJson(layer));
  return layer;
}

async function marksOf(file: string): Promise<readonly number[]> {
  try {
    const { size, mtimeMs, ctimeMs, ino } = await stat(file);
    return [size, mtimeMs, ctimeMs, ino];
  } catch (cause) {
    if (systemErrorCode(cause) !== 'ENOENT') throw cause;
    throw new IngotError('path-not-found', `there is no file ${file}`, { operation: 'bake', cause });
  }
}

/** Reads all of it: what it is called by, and whether it may be unpacked. */
async function readLayer({ file, name }: RootfsFile, { signal }: OciOptions): Promise<RootfsLayer> {
  const head = await headOf(file);
  const isGzip = head.startsWith('1f8b');
  const [, program] = OTHER_PACKINGS.find(([magic]) => head.startsWith(magic)) ?? [];
  if (program !== undefined)
    throw new IngotError('invalid-package', `${name} is compressed with ${program}, as layers of images are not`, {
      operation: 'bake',
      hint: `${program} -d ${file}   and name what that gives`,
    });
  const [packed, plain] = [createOciDigester(), createOciDigester()];
  const bytes = createReadStream(file, { highWaterMark: 1024 * 1024, ...(signal && { signal }) });
  const tar = watched(isGzip ? gunzipped(bytes, name) : bytes, (piece) => plain.update(piece));
  let members = 0;
  for await (const _ of walkImageTar(tar, name)) members += 1;
  if (members === 0) throw new IngotError('invalid-package', `${name} has no files`, { operation: 'bake' });
  const { size: fileBytes } = await stat(file);
  const tarBytes = isGzip ? undefined : fileBytes;
  let size = 0;
  for await (const piece of layerBytes(file, tarBytes)) {
    signal?.throwIfAborted();
    packed.update(piece);
    size += piece.byteLength;
  }
  const descriptor = { mediaType: OCI_MEDIA_TYPES.layerGzip, digest: packed.finish(), size };
  return { descriptor, diffId: plain.finish(), ...(tarBytes !== undefined && { tarBytes }) };
}

/** How compressed files begin, and with what they are unpacked. */
const OTHER_PACKINGS = [
  ['fd377a58', 'xz'],
  ['28b52ffd', 'zstd'],
  ['425a68', 'bzip2'],
] as const;

/** The first bytes, hexadecimal. */
async function headOf(file: string): Promise<string> {
  await using handle = await open(file, 'r');
  const head = Buffer.alloc(4);
  await handle.read(head, 0, head.length, 0);
  return head.toString('hex');
}

function layerFrom(text: string | undefined): RootfsLayer | undefined {
  const value = text === undefined ? undefined : parseJson(text);
  if (!isJsonObject(value) || !isJsonObject(value.descriptor)) return undefined;
  const { mediaType, digest, size } = value.descriptor;
  if (typeof mediaType !== 'string' || !isOciDigest(digest) || typeof size !== 'number' || !isOciDigest(value.diffId))
    return undefined;
  const { tarBytes, diffId } = value;
  return {
    descriptor: { mediaType, digest, size },
    diffId,
    ...(typeof tarBytes === 'number' && { tarBytes }),
  };
}
