import { collect } from '../blob/bytes.ts';
import { IngotError } from '../errors.ts';
import { isJsonObject, parseJson } from '../json.ts';
import { type BlobName, checkedBlob } from './checked-blob.ts';
import { isOciDigest, splitDigest } from './digest.ts';
import {
  findEntry,
  type LayoutIndex,
  MAX_LAYOUT_INDEX_BYTES,
  namesOf,
  onlyEntry,
  parseLayoutIndex,
} from './layout-index.ts';
import { checkManifest, MAX_OCI_MANIFEST_BYTES, parseOciManifest } from './manifest.ts';
import { OCI_MEDIA_TYPES } from './media-types.ts';
import type { Descriptor, OciDigest, OciOptions, OciReader, StoredManifest } from './oci-place.ts';

/** A file of a layout. */
export interface LayoutFile {
  readonly sizeBytes: number;
  /** Streams it, or a range of it. */
  read(range?: { readonly start: number; readonly end: number }, signal?: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Where the files of a layout are: a directory, or a tar. */
export interface LayoutFiles {
  /** For messages: `oci:./base`. */
  readonly address: string;
  /** Finds a file by its path in the layout; undefined when there is none. */
  file(path: string): Promise<LayoutFile | undefined>;
}

/** Where a blob lies in a layout. */
export function blobPath(digest: OciDigest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** Reads a layout, whatever holds its files. Nothing is remembered between calls: others may write it meanwhile. */
export class LayoutReader implements OciReader {
  readonly #files: LayoutFiles;

  constructor(files: LayoutFiles) {
    this.#files = files;
  }

  /**
   * Reads `index.json`.
   * @throws IngotError `not-found` when there is no layout, `invalid-package` when it cannot be read.
   */
  async index(): Promise<LayoutIndex> {
    const { address } = this.#files;
    const mark = await this.#files.file('oci-layout');
    const file = await this.#files.file('index.json');
    if (mark === undefined || file === undefined)
      throw new IngotError(
        'not-found',
        `${address} is not an OCI layout: it has no ${mark ? 'index.json' : 'oci-layout'}`,
        {
          operation: 'oci.read',
          details: { address },
        },
      );
    checkVersion(await small(mark, 64 * 1024, address), address);
    return parseLayoutIndex(await small(file, MAX_LAYOUT_INDEX_BYTES, address));
  }

  /**
   * The tag or digest that is meant where none is said: `latest`, or the only manifest there is.
   * @throws IngotError `not-found` naming what there is; as {@link LayoutReader.index}.
   */
  async only(): Promise<string> {
    const index = await this.index();
    const found = onlyEntry(index);
    if (found !== undefined) return found.name ?? found.descriptor.digest;
    const names = namesOf(index.entries);
    const { address } = this.#files;
    if (index.entries.length === 0)
      throw new IngotError('not-found', `${address} holds no manifest`, {
        operation: 'oci.read',
        details: { address },
      });
    throw new IngotError(
      'not-found',
      `${address} holds several manifests${names.length === 0 ? '' : `: ${names.slice(0, 8).join(', ')}`}`,
      { operation: 'oci.read', hint: `${address}:${names[0] ?? 'TAG'}`, details: { address, names } },
    );
  }

  async manifest(reference: string): Promise<StoredManifest> {
    const entry = findEntry(await this.index(), reference, this.#files.address);
    const digest = entry?.digest ?? (isOciDigest(reference) ? reference : undefined);
    const file = digest === undefined ? undefined : await this.#files.file(blobPath(digest));
    if (digest === undefined || file === undefined) throw this.#missing(reference);
    const bytes = await small(file, MAX_OCI_MANIFEST_BYTES, this.#files.address);
    return checkManifest(bytes, entry?.mediaType ?? typeSaidBy(bytes), digest);
  }

  async *blob(
    descriptor: BlobName,
    { signal, range }: OciOptions & { readonly range?: { readonly start: number; readonly end: number } } = {},
  ): AsyncIterable<Uint8Array> {
    const file = await this.#files.file(blobPath(descriptor.digest));
    if (file === undefined) throw this.#missing(descriptor.digest);
    if (range !== undefined) yield* file.read(range, signal);
    else yield* checkedBlob(descriptor, file.read(undefined, signal));
  }

  async *tags(): AsyncIterable<string> {
    yield* namesOf((await this.index()).entries).sort();
  }

  async referrers(
    digest: OciDigest,
    { artifactType, signal }: OciOptions & { readonly artifactType?: string } = {},
  ): Promise<readonly Descriptor[]> {
    const found = new Map<OciDigest, Descriptor>();
    for (const { descriptor } of (await this.index()).entries) {
      signal?.throwIfAborted();
      if (found.has(descriptor.digest)) continue;
      const stored = await this.manifest(descriptor.digest);
      const manifest = parseOciManifest(stored);
      if (manifest.subject?.digest !== digest) continue;
      const type = manifest.artifactType ?? (manifest.kind === 'manifest' ? manifest.config.mediaType : undefined);
      if (artifactType !== undefined && type !== artifactType) continue;
      const { mediaType, size } = descriptor;
      const { annotations } = manifest;
      found.set(descriptor.digest, {
        mediaType,
        digest: descriptor.digest,
        size,
        ...(type === undefined ? {} : { artifactType: type }),
        ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      });
    }
    return [...found.values()];
  }

  #missing(what: string): IngotError {
    const { address } = this.#files;
    return new IngotError('not-found', `${address} has no ${what}`, { operation: 'oci.read', details: { address } });
  }
}

async function small(file: LayoutFile, maxBytes: number, address: string): Promise<Buffer> {
  if (file.sizeBytes <= maxBytes) return collect(file.read());
  throw new IngotError('invalid-package', `${address} has a manifest or an index of ${file.sizeBytes} bytes`, {
    operation: 'oci.read',
    details: { address, sizeBytes: file.sizeBytes },
  });
}

function checkVersion(bytes: Uint8Array, address: string): void {
  const mark = parseJson(Buffer.from(bytes).toString('utf8'));
  const version = isJsonObject(mark) ? mark.imageLayoutVersion : undefined;
  if (typeof version === 'string' && /^1\./.test(version)) return;
  throw new IngotError('invalid-package', `${address} is not an OCI layout of version 1`, {
    operation: 'oci.read',
    details: { address },
  });
}

// A manifest that is found by its digest alone is handed over by nobody: what it says or what it lists tells its kind.
function typeSaidBy(bytes: Uint8Array): string {
  const value = parseJson(Buffer.from(bytes).toString('utf8'));
  if (!isJsonObject(value)) return OCI_MEDIA_TYPES.manifest;
  if (typeof value.mediaType === 'string') return value.mediaType;
  return value.manifests === undefined ? OCI_MEDIA_TYPES.manifest : OCI_MEDIA_TYPES.index;
}
