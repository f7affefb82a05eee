/**
 * A *layout*: a directory of blobs named by their digests, and `index.json` that names manifests. What tools write with
 * `oci:DIR`. Blobs appear whole and durable or not at all; `index.json` comes last and is replaced in one step.
 */

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BodyFailure, fill } from '../blob/local/fill.ts';
import { syncDirectory } from '../blob/local/directories.ts';
import { translated } from '../blob/local/failures.ts';
import { nodeFileSystem, type FileSystem } from '../blob/local/file-system.ts';
import { streamBlob } from '../blob/local/stream.ts';
import { bodyOf } from '../blob/bytes.ts';
import type { BlobBody } from '../blob/blob-store.ts';
import { IngotError, systemErrorCode } from '../errors.ts';
import { type BlobName, checkedBlob, hashed } from './checked-blob.ts';
import { createOciDigester } from './digest.ts';
import { addToIndex, EMPTY_LAYOUT_INDEX, formatLayoutIndex, type LayoutIndex } from './layout-index.ts';
import { blobPath, type LayoutFile, LayoutReader } from './layout-reader.ts';
import { inTurn } from './layout-turn.ts';
import { checkManifest } from './manifest.ts';
import type { BlobPut, Descriptor, OciDigest, OciOptions, OciPlace, StoredManifest } from './oci-place.ts';

const FILES: FileSystem = nodeFileSystem({ directory: 0o755, file: 0o644, force: false });
const TEMPORARY = /\.[0-9a-f]{12}\.part$/;
const STALE_MS = 24 * 3600 * 1000;

/** A layout in a directory. */
export class OciLayout implements OciPlace {
  /** `oci:` and the directory as it was given. */
  readonly address: string;
  readonly directory: string;
  readonly #reader: LayoutReader;
  #ready: Promise<void> | undefined;

  /** @param directory need not be there yet; it is made with the first write. */
  constructor(directory: string) {
    this.directory = directory;
    this.address = `oci:${directory}`;
    this.#reader = new LayoutReader({ address: this.address, file: (path) => this.#file(path) });
  }

  /** Reads `index.json`. Throws as `LayoutReader.index` does. */
  index(): Promise<LayoutIndex> {
    return this.#reader.index();
  }

  /** The tag or digest that is meant where none is said. Throws `not-found`. */
  only(): Promise<string> {
    return this.#reader.only();
  }

  manifest(reference: string): Promise<StoredManifest> {
    return this.#reader.manifest(reference);
  }

  blob(...args: Parameters<OciPlace['blob']>): AsyncIterable<Uint8Array> {
    return this.#reader.blob(...args);
  }

  tags(): AsyncIterable<string> {
    return this.#reader.tags();
  }

  referrers(...args: Parameters<OciPlace['referrers']>): Promise<readonly Descriptor[]> {
    return this.#reader.referrers(...args);
  }

  async hasBlob(digest: OciDigest): Promise<boolean> {
    return (await this.#file(blobPath(digest))) !== undefined;
  }

  async putBlob(
    descriptor: BlobName,
    openBody: () => AsyncIterable<Uint8Array>,
    { signal }: OciOptions = {},
  ): Promise<BlobPut> {
    const path = blobPath(descriptor.digest);
    const there = await this.#file(path);
    if (there?.sizeBytes === descriptor.size) return 'exists';
    await this.#prepare();
    const body = {
      sizeBytes: descriptor.size,
      open: () => checkedBlob(descriptor, openBody(), 'oci.write'),
    };
    await this.#writing(path, () => writeFile(join(this.directory, path), path, body, signal));
    return 'created';
  }

  async newBlob(
    size: number,
    openBody: () => AsyncIterable<Uint8Array>,
    { signal }: OciOptions = {},
  ): Promise<{ readonly digest: OciDigest; readonly put: BlobPut }> {
    await this.#prepare();
    const digester = createOciDigester();
    const body = { sizeBytes: size, open: () => hashed(openBody(), digester) };
    const directory = join('blobs', 'sha256');
    return this.#writing(directory, async () => {
      const temporary = await writeTemporary(join(this.directory, directory, 'new'), 'a new blob', body, signal);
      const digest = digester.finish();
      const path = blobPath(digest);
      const isThere = (await this.#file(path))?.sizeBytes === size;
      if (isThere) await rm(temporary, { force: true });
      else await give(temporary, join(this.directory, path));
      return { digest, put: isThere ? 'exists' : 'created' };
    });
  }

  async putManifest(manifest: StoredManifest, options: OciOptions & { readonly tag?: string } = {}): Promise<void> {
    await this.putNamed(manifest, options);
  }

  /** Puts a manifest as `putManifest` does, with annotations of its entry in `index.json`. */
  async putNamed(
    manifest: StoredManifest,
    options: OciOptions & { readonly tag?: string; readonly annotations?: Readonly<Record<string, string>> } = {},
  ): Promise<void> {
    const checked = checkManifest(manifest.bytes, manifest.mediaType, manifest.digest);
    const { tag, annotations, signal } = options;
    await this.putBlob({ digest: checked.digest, size: checked.bytes.byteLength }, bodyOf(checked.bytes).open, options);
    await this.changeIndex(
      (index) => addToIndex(index, { manifest: checked, tag, ...(annotations === undefined ? {} : { annotations }) }),
      signal,
    );
  }

  /**
   * Replaces `index.json` by what is made of it, alone among all writers. Giving the same object changes nothing.
   * @throws IngotError as `putManifest`.
   */
  async changeIndex(change: (index: LayoutIndex) => LayoutIndex, signal?: AbortSignal): Promise<void> {
    await this.#prepare();
    await this.#writing('index.json', () =>
      inTurn(
        this.directory,
        async () => {
          const before = await this.index();
          const after = change(before);
          if (after === before) return;
          await writeFile(join(this.directory, 'index.json'), 'index.json', bodyOf(formatLayoutIndex(after)), signal);
        },
        signal,
      ),
    );
  }

  async #file(path: string): Promise<LayoutFile | undefined> {
    const full = join(this.directory, path);
    try {
      const stats = await stat(full);
      if (!stats.isFile()) return undefined;
      const sizeBytes = stats.size;
      return { sizeBytes, read: (range, signal) => readFile(full, path, range, signal) };
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
      throw await translated(error, 'oci.read', full);
    }
  }

  async #writing<T>(path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof BodyFailure) throw error.cause;
      throw await translated(error, 'oci.write', join(this.directory, path));
    }
  }

  #prepare(): Promise<void> {
    this.#ready ??= this.#writing('oci-layout', () => this.#make()).catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #make(): Promise<void> {
    const { directory } = this;
    if ((await lstat(directory).catch(() => undefined)) === undefined) await FILES.makeDirectory(directory);
    if ((await this.#file('oci-layout')) === undefined) await this.#begin();
    for (const algorithm of ['sha256', 'sha512']) await sweep(join(directory, 'blobs', algorithm));
  }

  async #begin(): Promise<void> {
    const { directory } = this;
    const strangers = (await readdir(directory)).filter(
      (name) => !/^(?:index\.json|blobs|oci-layout)\b|^\./.test(name),
    );
    if (strangers.length > 0)
      throw new IngotError('conflict', `${directory} is no OCI layout and not empty: it has "${strangers[0]}"`, {
        operation: 'oci.write',
        hint: 'name a directory that is empty or not there yet',
        details: { path: directory },
      });
    await inTurn(directory, async () => {
      const write = (name: string, bytes: Uint8Array | string) =>
        writeFile(join(directory, name), name, bodyOf(bytes), undefined);
      if ((await this.#file('index.json')) === undefined)
        await write('index.json', formatLayoutIndex(EMPTY_LAYOUT_INDEX));
      await write('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
    });
  }
}

/** Writes a file whole and durable: under another name first. */
async function writeFile(target: string, key: string, body: BlobBody, signal: AbortSignal | undefined): Promise<void> {
  await give(await writeTemporary(target, key, body, signal), target);
}

async function writeTemporary(
  target: string,
  key: string,
  body: BlobBody,
  signal: AbortSignal | undefined,
): Promise<string> {
  await FILES.makeDirectory(dirname(target));
  const temporary = `${target}.${randomBytes(6).toString('hex')}.part`;
  const handle = await FILES.create(temporary);
  try {
    await fill(handle, key, body, { signal });
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  return temporary;
}

async function give(temporary: string, target: string): Promise<void> {
  try {
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(FILES, dirname(target));
}

async function* readFile(
  full: string,
  path: string,
  range: { readonly start: number; readonly end: number } | undefined,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    // What became a pipe meanwhile must not hold us up.
    handle = await open(full, constants.O_RDONLY | constants.O_NONBLOCK);
    const { size } = await handle.stat();
    yield* streamBlob({ handle, sizeBytes: size }, path, range, signal);
  } catch (error) {
    throw await translated(error, 'oci.read', full);
  }
}

/** Removes what writers long dead left. */
async function sweep(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((found) => TEMPORARY.test(found))) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > STALE_MS) await rm(path, { force: true });
  }
}
