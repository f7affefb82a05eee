/**
 * Blobs as files of a directory: on a disk, or on a share that several machines mount. Each key is a path
 * (`local/names.ts`), each write is whole or not at all (`local/place.ts`).
 */

import { randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { IngotError, systemErrorCode } from '../errors.ts';
import type {
  BlobCapabilities,
  BlobEntry,
  BlobOptions,
  BlobStat,
  BlobStore,
  BlobWriteOptions,
  ByteRange,
} from './blob-store.ts';
import { stopIfInterrupted } from './interrupt.ts';
import { checkKey } from './key.ts';
import { Directories, syncDirectory } from './local/directories.ts';
import { translated } from './local/failures.ts';
import { type FileSystem, GROUP_MODES, nodeFileSystem, PRIVATE_MODES } from './local/file-system.ts';
import { BodyFailure, fill } from './local/fill.ts';
import { INNER_FILE, pathOfKey } from './local/names.ts';
import { place } from './local/place.ts';
import { shareFileSystem, Written } from './local/share.ts';
import { openBlob, streamBlob } from './local/stream.ts';
import { TemporaryFiles } from './local/temporary.ts';
import { walk } from './local/walk.ts';
import { checkRange } from './range.ts';

/** Options of {@link createLocalBlobStore}. */
export interface LocalBlobStoreOptions {
  /** `never`: do without hard links, as some shares do. Default `auto`: use them where they work; on shares `never`. */
  readonly hardLinks?: 'auto' | 'never';
  /**
   * Whether the directory is a network share that other machines write to: what was missing may be there a minute later,
   * hard links and flushes are not relied on, what is busy is asked for again, and small blobs are read back. Default: false.
   */
  readonly share?: boolean;
  /** `group`: directories get the mode 2770 and files 660, whatever the umask. Default: 700 and 600. */
  readonly shared?: 'group';
  /** The file system beneath, to look on or meddle. Default: that of this machine, with the modes above. */
  readonly fileSystem?: FileSystem;
  /** Age in milliseconds after which the temporary files of a dead writer are removed. Default: one hour without a write. */
  readonly staleAfterMs?: number;
  /** Names temporary files; must never repeat. Default: 16 random bytes as hex. */
  readonly randomId?: () => string;
}

const DISK: BlobCapabilities = {
  createIfAbsent: 'yes',
  stalenessMs: 0,
  localFiles: true,
  readOnly: false,
  waits: true,
};

/** NFS remembers a missing file for up to a minute. */
const SHARE: BlobCapabilities = {
  createIfAbsent: 'unverified',
  stalenessMs: 60_000,
  localFiles: true,
  readOnly: false,
  waits: true,
};

/** How long the system surely remembers that something was missing. */
const MISSING_MS = 1000;
const MOST_MISSING = 256;

/** Requests of each operation are system calls on one file; a write flushes the file and its directory. */
class LocalBlobStore implements BlobStore {
  readonly address: string;
  readonly capabilities: BlobCapabilities;
  readonly #root: string;
  readonly #files: FileSystem;
  readonly #isShare: boolean;
  readonly #directories: Directories;
  readonly #temporary: TemporaryFiles;
  readonly #useLinks: boolean;
  /** When paths were looked for and not there. */
  readonly #missing = new Map<string, number>();

  constructor(directory: string, options: LocalBlobStoreOptions) {
    this.address = directory;
    this.#root = resolve(directory);
    this.#isShare = options.share === true;
    this.capabilities = this.#isShare ? SHARE : DISK;
    const files = options.fileSystem ?? nodeFileSystem(options.shared === 'group' ? GROUP_MODES : PRIVATE_MODES);
    this.#files = this.#isShare ? shareFileSystem(files) : files;
    this.#directories = new Directories(this.#root, this.#files);
    const randomId = options.randomId ?? (() => randomBytes(16).toString('hex'));
    this.#temporary = new TemporaryFiles(this.#directories, randomId, options.staleAfterMs ?? 3_600_000);
    this.#useLinks = (options.hardLinks ?? (this.#isShare ? 'never' : 'auto')) === 'auto';
  }

  async stat(key: string, { signal }: BlobOptions = {}): Promise<BlobStat | undefined> {
    const path = this.#path(key, signal, 'blob.stat');
    if (this.#isStillMissing(path)) return undefined;
    const found = await this.#orMissing(path, 'blob.stat', async () => {
      const stats = await this.#files.stat(path);
      const file = stats.isDirectory() ? await this.#files.stat(join(path, INNER_FILE)) : stats;
      return { sizeBytes: file.size, modifiedAt: file.mtime };
    });
    if (found === undefined) this.#noteMissing(path);
    return found;
  }

  async *read(
    key: string,
    { signal, range }: BlobOptions & { readonly range?: ByteRange } = {},
  ): AsyncIterable<Uint8Array> {
    checkRange(range);
    const path = this.#path(key, signal, 'blob.read');
    const blob = await this.#orMissing(path, 'blob.read', () => openBlob(this.#files, path));
    if (blob === undefined)
      throw new IngotError('content-not-found', `there is no blob "${key}" in ${this.address}`, { details: { key } });
    try {
      yield* streamBlob(blob, key, range, signal);
    } catch (error) {
      throw await translated(error, 'blob.read', path, this.#root);
    }
  }

  async write(
    key: string,
    body: Parameters<BlobStore['write']>[1],
    { signal, expendable = false, thoughtFree = false, after }: BlobWriteOptions = {},
  ): Promise<'created' | 'exists'> {
    const path = this.#path(key, signal, 'blob.write');
    if (!thoughtFree && (await this.stat(key, signal ? { signal } : {})) !== undefined)
      return expendable ? 'exists' : this.#alreadyThere(path);
    let temporary: string | undefined;
    try {
      const file = await this.#temporary.create();
      temporary = file.path;
      const written = this.#isShare ? new Written(body) : undefined;
      try {
        await fill(file.handle, key, written?.body ?? body, { signal, expendable });
      } finally {
        await file.handle.close();
      }
      await written?.check(this.#files, file.path);
      await waited(after);
      stopIfInterrupted(signal, 'blob.write');
      return await place(file.path, path, this.#directories, { useLinks: this.#useLinks, expendable });
    } catch (error) {
      if (temporary !== undefined) await this.#discard(temporary);
      throw error instanceof BodyFailure ? error.cause : await translated(error, 'blob.write', path, this.#root);
    }
  }

  async delete(key: string, { signal }: BlobOptions = {}): Promise<void> {
    const path = this.#path(key, signal, 'blob.delete');
    await this.#orMissing(path, 'blob.delete', async () => {
      const isDirectory = (await this.#files.stat(path)).isDirectory();
      await this.#files.unlink(isDirectory ? join(path, INNER_FILE) : path);
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
      yield* walk(this.#files, this.#root, { prefix, after, signal });
    } catch (error) {
      throw await translated(error, 'blob.list', this.#root, this.#root);
    }
  }

  async localPath(key: string): Promise<string | undefined> {
    const path = this.#path(key, undefined, 'blob.stat');
    return this.#orMissing(path, 'blob.stat', async () => {
      if (!(await this.#files.stat(path)).isDirectory()) return path;
      await this.#files.stat(join(path, INNER_FILE));
      return join(path, INNER_FILE);
    });
  }

  #path(key: string, signal: AbortSignal | undefined, operation: string): string {
    checkKey(key);
    stopIfInterrupted(signal, operation);
    return pathOfKey(this.#root, key);
  }

  // Whoever follows a log asks for its next event again and again. A look into the system's memory takes a tenth of what
  // handing it to a thread takes, twice: the store itself must still be there.
  #isStillMissing(path: string): boolean {
    const { statAtOnce } = this.#files;
    const missedAt = this.#missing.get(path);
    if (statAtOnce === undefined || missedAt === undefined || performance.now() - missedAt > MISSING_MS) return false;
    try {
      if (statAtOnce(path) !== undefined || statAtOnce(this.#root)?.isDirectory() !== true) return false;
    } catch {
      return false; // It is asked again, and told what is wrong.
    }
    this.#missing.set(path, performance.now());
    return true;
  }

  #noteMissing(path: string): void {
    if (this.#missing.size >= MOST_MISSING) this.#missing.clear();
    this.#missing.set(path, performance.now());
  }

  async #orMissing<T>(path: string, operation: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.#directories.noteRoot();
      return result;
    } catch (error) {
      // A parent that is a file means that no blob can lie here either.
      if (!['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? ''))
        throw await translated(error, operation, path, this.#root);
      await this.#directories.checkRoot();
      return undefined;
    }
  }

  // Whoever is told "exists" relies on it: its name has to be as durable as if it had been written here.
  async #alreadyThere(path: string): Promise<'exists'> {
    const parent = dirname(path);
    try {
      await this.#directories.ensure(parent);
      await syncDirectory(this.#files, parent);
    } catch (error) {
      // Another process has deleted it since, and the directory that it left empty: then no name has to last.
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      this.#directories.forget(parent);
    }
    return 'exists';
  }

  // A temporary file that cannot be removed now is swept later; what failed before is what has to be reported.
  async #discard(temporary: string): Promise<void> {
    await this.#files.remove(temporary).catch(() => {});
    await this.#files.remove(`${temporary}.d`).catch(() => {});
  }
}

// What failed is neither the storage nor the body; it goes the same way.
async function waited(after: Promise<unknown> | undefined): Promise<void> {
  try {
    await after;
  } catch (cause) {
    throw new BodyFailure('what the write had to wait for failed', { cause });
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
