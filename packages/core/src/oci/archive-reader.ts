/**
 * Archives: a layout in one tar file, or what `docker save` writes. Both are read as a layout is, without unpacking:
 * members are found once, by their headers. Docker's old form has no manifest; one is made of its `manifest.json`.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { posix } from 'node:path';
import { collect } from '../blob/bytes.ts';
import { translated } from '../blob/local/failures.ts';
import { IngotError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../json.ts';
import { createOciDigester, isOciDigest, ociDigestOf } from './digest.ts';
import { addToIndex, EMPTY_LAYOUT_INDEX, formatLayoutIndex, type LayoutIndex } from './layout-index.ts';
import { blobPath, type LayoutFile, LayoutReader } from './layout-reader.ts';
import { writeManifest } from './manifest.ts';
import { OCI_MEDIA_TYPES } from './media-types.ts';
import type { Descriptor, OciDigest, OciPlace, OciReader, StoredManifest } from './oci-place.ts';
import { memberFile, scanTar, type TarMember } from './tar-files.ts';

const MAX_LINKS = 8;
const MAX_JSON_BYTES = 16 * 1024 * 1024;

/** An archive that is open for reading. */
export interface OciArchive extends OciReader, AsyncDisposable {
  /** `oci-archive:` or `docker-archive:` and the file as it was given. */
  readonly address: string;
  /** The manifests it holds and their names. */
  index(): Promise<LayoutIndex>;
  /** The tag or digest that is meant where none is said. Throws `not-found`. */
  only(): Promise<string>;
}

/**
 * Opens a tar that holds a layout, or what `docker save` wrote, whichever it is. Names of images are the tags, as they
 * stand there: `churn:7`.
 * @throws IngotError `path-not-found`, `invalid-package` for what is neither.
 * @example
 * await using archive = await openOciArchive('churn.tar');
 * const manifest = await archive.manifest(await archive.only());
 */
export async function openOciArchive(file: string): Promise<OciArchive> {
  const handle = await opened(file);
  try {
    const members = new Members(handle, file, await scanTar(handle, file));
    const isLayout = members.file('oci-layout') !== undefined && members.file('index.json') !== undefined;
    const address = `${isLayout ? 'oci' : 'docker'}-archive:${file}`;
    const files = isLayout ? (path: string) => members.file(path) : await dockerFiles(members);
    const reader = new LayoutReader({ address, file: async (path) => files(path) });
    return archiveOf(reader, address, () => handle.close());
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function archiveOf(reader: LayoutReader, address: string, close: () => Promise<void>): OciArchive {
  return {
    address,
    index: () => reader.index(),
    only: () => reader.only(),
    manifest: (reference) => reader.manifest(reference),
    blob: (...args: Parameters<OciPlace['blob']>) => reader.blob(...args),
    tags: () => reader.tags(),
    referrers: (...args: Parameters<OciPlace['referrers']>) => reader.referrers(...args),
    [Symbol.asyncDispose]: close,
  };
}

async function opened(file: string): Promise<FileHandle> {
  try {
    const handle = await open(file, 'r');
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (error) {
    throw await translated(error, 'oci.read', file);
  }
  throw new IngotError('invalid-package', `${file} is not an archive but a directory or a device`, {
    operation: 'oci.read',
    hint: `oci:${file}   (where it is a layout)`,
  });
}

/** The files of a tar. */
class Members {
  readonly what: string;
  readonly #handle: FileHandle;
  readonly #members: ReadonlyMap<string, TarMember>;

  constructor(handle: FileHandle, what: string, members: ReadonlyMap<string, TarMember>) {
    this.what = what;
    this.#handle = handle;
    this.#members = members;
  }

  /** Finds a file; links within the archive are followed, as old versions of Docker share layers by them. */
  file(path: string): LayoutFile | undefined {
    let at = posix.normalize(path);
    for (let links = 0; links < MAX_LINKS; links += 1) {
      const member = this.#members.get(at);
      if (member === undefined) return undefined;
      if (member.kind === 'file') return memberFile(this.#handle, member, this.what);
      at = posix.normalize(posix.join(posix.dirname(at), member.target));
    }
    return undefined;
  }

  async json(path: string): Promise<{ readonly bytes: Buffer; readonly value: JsonValue | undefined }> {
    const file = this.file(path);
    if (file === undefined || file.sizeBytes > MAX_JSON_BYTES)
      throw this.broken(`it has no readable ${path.slice(0, 100)}`);
    const bytes = await collect(file.read());
    return { bytes, value: parseJson(bytes.toString('utf8')) };
  }

  broken(why: string): IngotError {
    return new IngotError(
      'invalid-package',
      `${this.what} is neither an OCI layout nor an archive of Docker's: ${why}`,
      {
        operation: 'oci.read',
      },
    );
  }
}

/** Makes the files of a layout of an archive of Docker's. */
async function dockerFiles(members: Members): Promise<(path: string) => LayoutFile | undefined> {
  const { value } = await members.json('manifest.json');
  if (!Array.isArray(value)) throw members.broken('manifest.json is no list');
  const files = new Map<string, LayoutFile>();
  let index = EMPTY_LAYOUT_INDEX;
  for (const image of value) {
    if (!isJsonObject(image)) throw members.broken('manifest.json lists what is no image');
    const manifest = await dockerManifest(members, image, files);
    files.set(blobPath(manifest.digest), memoryFile(manifest.bytes));
    const names = textsOf(image.RepoTags);
    for (const tag of names.length === 0 ? [undefined] : names) index = addToIndex(index, { manifest, tag });
  }
  files.set('index.json', memoryFile(formatLayoutIndex(index)));
  files.set('oci-layout', memoryFile(Buffer.from('{"imageLayoutVersion":"1.0.0"}')));
  return (path) => files.get(path);
}

async function dockerManifest(
  members: Members,
  image: JsonObject,
  files: Map<string, LayoutFile>,
): Promise<StoredManifest> {
  const { bytes, value } = await members.json(typeof image.Config === 'string' ? image.Config : '');
  const rootfs = isJsonObject(value) ? value.rootfs : undefined;
  const diffIds = textsOf(isJsonObject(rootfs) ? rootfs.diff_ids : undefined);
  const paths = textsOf(image.Layers);
  if (diffIds.length !== paths.length)
    throw members.broken(`${paths.length} layers for ${diffIds.length} in the config`);
  const config = { mediaType: OCI_MEDIA_TYPES.config, digest: ociDigestOf(bytes), size: bytes.length };
  files.set(blobPath(config.digest), memoryFile(bytes));
  const layers: Descriptor[] = [];
  for (const [at, path] of paths.entries()) {
    const file = members.file(path);
    if (file === undefined) throw members.broken(`it has no ${path.slice(0, 100)}`);
    const layer = await dockerLayer(file, diffIds[at]);
    files.set(blobPath(layer.digest), file);
    layers.push(layer);
  }
  return writeManifest({ config, layers });
}

// A plain tar is named by the config, which whoever reads it checks; what is packed has to be read to be named.
async function dockerLayer(file: LayoutFile, diffId: string | undefined): Promise<Descriptor> {
  const isGzip = await beginsWith(file, [0x1f, 0x8b]);
  if (!isGzip && isOciDigest(diffId)) return { mediaType: OCI_MEDIA_TYPES.layer, digest: diffId, size: file.sizeBytes };
  const mediaType = isGzip ? OCI_MEDIA_TYPES.layerGzip : OCI_MEDIA_TYPES.layer;
  return { mediaType, digest: await digestOfFile(file), size: file.sizeBytes };
}

async function beginsWith(file: LayoutFile, magic: readonly number[]): Promise<boolean> {
  if (file.sizeBytes < magic.length) return false;
  return (await collect(file.read({ start: 0, end: magic.length }))).equals(Buffer.from(magic));
}

async function digestOfFile(file: LayoutFile): Promise<OciDigest> {
  const digester = createOciDigester();
  for await (const piece of file.read()) digester.update(piece);
  return digester.finish();
}

function memoryFile(bytes: Uint8Array): LayoutFile {
  return {
    sizeBytes: bytes.byteLength,
    read: async function* (range) {
      yield bytes.subarray(range?.start ?? 0, range?.end);
    },
  };
}

function textsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}
