/**
 * Blobs as files of a directory: on a disk, or on a share that several machines mount. Each key is a path
 * (`local/names.ts`), each write is whole or not at all (`local/place.ts`).
 */

import { randomBytes } from 'node:crypto';
import { rm, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { IngotError, systemErrorCode } from '../errors.ts';
import type { BlobEntry, BlobOptions, BlobStat, BlobStore, ByteRange } from './blob-store.ts';
import { stopIfInterrupted } from './interrupt.ts';
import { checkKey } from './key.ts';
import { Directories, syncDirectory } from './local/directories.ts';
import { translated } from './local/failures.ts';
import { BodyFailure, fill } from './local/fill.ts';
import { INNER_FILE, pathOfKey } from './local/names.ts';
import { place } from './local/place.ts';
import { openBlob, streamBlob } from './local/stream.ts';
import { TemporaryFiles } from './local/temporary.ts';
import { walk } from './local/walk.ts';
import { checkRange } from './range.ts';

/** Options of {@link createLocalBlobStore}. */
export interface LocalBlobStoreOptions {
  /** `never`: do without hard links, as some shares do. Default `auto`: use them where they work. */
  readonly hardLinks?: 'auto' | 'never';
  /** Age in milliseconds after which the temporary files of a dead writer are removed. Default: one hour without a write. */
  readonly staleAfterMs?: number;
  /** Names temporary files; must never repeat. Default: 16 random bytes as hex. */
  readonly randomId?: () => string;
}

/** Requests of each operation are system calls on one file; a write flushes the file and its directory. */
class LocalBlobStore implements BlobStore {
  readonly address: string;
  readonly capabilities = { createIfAbsent: 'yes', stalenessMs: 0, localFiles: true, readOnly: false } as const;
  readonly #root: string;
  readonly #directories: Directories;
  readonly #temporary: TemporaryFiles;
  readonly #useLinks: boolean;

  constructor(directory: string, options: LocalBlobStoreOptions) {
    this.address = directory;
    this.#root = resolve(directory);
    this.#directories = new Directories(this.#root);
    const randomId = options.randomId ?? (() => randomBytes(16).toString('hex'));
    this.#temporary = new TemporaryFiles(this.#directories, randomId, options.staleAfterMs ?? 3_600_000);
    this.#useLinks = options.hardLinks !== 'never';
  }

  async stat(key: string, { signal }: BlobOptions = {}): Promise<BlobStat | undefined> {
    const path = this.#path(key, signal, 'blob.stat');
    return this.#orMissing(path, 'blob.stat', async () => {
      const stats = await stat(path);
      const file = stats.isDirectory() ? await stat(join(path, INNER_FILE)) : stats;
      return { sizeBytes: file.size, modifiedAt: file.mtime };
    });
  }

  async *read(
    key: string,
    { signal, range }: BlobOptions & { readonly range?: ByteRange } = {},
  ): AsyncIterable<Uint8Array> {
    checkRange(range);
    const path = this.#path(key, signal, 'blob.read');
    const blob = await this.#orMissing(path, 'blob.read', () => openBlob(path));
    if (blob === undefined)
      throw new IngotError('content-not-found', `there is no blob "${key}" in ${this.address}`, { details: { key } });
    try {
      yield* streamBlob(blob, key, range, signal);
    } catch (error) {
      throw await translated(error, 'blob.read', path);
    }
  }

  async write(
    key: string,
    body: Parameters<BlobStore['write']>[1],
    { signal }: BlobOptions = {},
  ): Promise<'created' | 'exists'> {
    const path = this.#path(key, signal, 'blob.write');
    if ((await this.stat(key, signal ? { signal } : {})) !== undefined) return this.#alreadyThere(path);
    let temporary: string | undefined;
    try {
      const file = await this.#temporary.create();
      temporary = file.path;
      try {
        await fill(file.handle, key, body, signal);
      } finally {
        await file.handle.close();
      }
      stopIfInterrupted(signal, 'blob.write');
      return await place(file.path, path, this.#directories, this.#useLinks);
    } catch (error) {
      if (temporary !== undefined) await this.#discard(temporary);
      throw error instanceof BodyFailure ? error.cause : await translated(error, 'blob.write', path);
    }
  }

  async delete(key: string, { signal }: BlobOptions = {}): Promise<void> {
    const path = this.#path(key, signal, 'blob.delete');
    await this.#orMissing(path, 'blob.delete', async () => {
      const isDirectory = (await stat(path)).isDirectory();
      await unlink(isDirectory ? join(path, INNER_FILE) : path);
      await this.#directories.prune(isDirectory ? path : dirname(path));
    });
  }

  async *list(
    prefix: string,
    { signal, after }: BlobOptions & { readonly after?: string } = {},
  ): AsyncIterable<BlobEntry> {
    stopIfInterrupted(signal, 'blob.list');
    try {
      await this.#directories.checkRoot();
      yield* walk(this.#root, { prefix, after, signal });
    } catch (error) {
      throw await translated(error, 'blob.list', this.#root);
    }
  }

  async localPath(key: string): Promise<string | undefined> {
    const path = this.#path(key, undefined, 'blob.stat');
    return this.#orMissing(path, 'blob.stat', async () => {
      if (!(await stat(path)).isDirectory()) return path;
      await stat(join(path, INNER_FILE));
      return join(path, INNER_FILE);
    });
  }

  #path(key: string, signal: AbortSignal | undefined, operation: string): string {
    checkKey(key);
    stopIfInterrupted(signal, operation);
    return pathOfKey(this.#root, key);
  }

  async #orMissing<T>(path: string, operation: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.#directories.noteRoot();
      return result;
    } catch (error) {
      // A parent that is a file means that no blob can lie here either.
      if (!['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) throw await translated(error, operation, path);
      await this.#directories.checkRoot();
      return undefined;
    }
  }

  // Whoever is told "exists" relies on it: its name has to be as durable as if it had been written here.
  async #alreadyThere(path: string): Promise<'exists'> {
    await this.#directories.ensure(dirname(path));
    await syncDirectory(dirname(path));
    return 'exists';
  }

  // A temporary file that cannot be removed now is swept later; what failed before is what has to be reported.
  async #discard(temporary: string): Promise<void> {
    await rm(temporary, { force: true }).catch(() => {});
    await rm(`${temporary}.d`, { recursive: true, force: true }).catch(() => {});
  }
}

/**
 * Opens a directory as a blob store. The directory is made with the first write; nothing is touched before.
 *
 * @example
 * const store = createLocalBlobStore('/srv/models');
 * await store.write('greeting', bodyOf('hello')); // 'created'
 */
export function createLocalBlobStore(directory: string, options: LocalBlobStoreOptions = {}): BlobStore {
  return new LocalBlobStore(directory, options);
}
