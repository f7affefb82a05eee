import { basename, dirname } from 'node:path';
import { IngotError, systemErrorCode } from '../../errors.ts';
import type { FileSystem } from './file-system.ts';

const REMEMBERED = 4096;
const NAMED_ONCE = /^[0-9a-f]{8,}$|-[0-9a-f]{16}$/;
const CANNOT_FLUSH: readonly string[] = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR', 'EBADF'];

/** Flushes a directory, so that the names in it survive a power cut. */
export async function syncDirectory(files: FileSystem, directory: string): Promise<void> {
  if (files.flushDirectory !== undefined) return unlessNotKnown(files.flushDirectory(directory));
  const handle = await files.open(directory);
  try {
    await unlessNotKnown(handle.sync());
  } finally {
    await handle.close();
  }
}

// Some shares cannot flush a directory; they make names durable on their own.
async function unlessNotKnown(flushing: Promise<void>): Promise<void> {
  try {
    await flushing;
  } catch (error) {
    if (!CANNOT_FLUSH.includes(systemErrorCode(error) ?? '')) throw error;
  }
}

/**
 * The directories of one store: made durable from the root down, removed again when empty. A root that was there once
 * is never made anew: it is an unmounted share, and writing under its mount point would lose what is written.
 */
export class Directories {
  readonly root: string;
  readonly files: FileSystem;
  readonly #durable = new Set<string>();
  #rootSeen = false;

  constructor(root: string, files: FileSystem) {
    this.root = root;
    this.files = files;
  }

  /** Notes that the root exists. */
  noteRoot(): void {
    this.#rootSeen = true;
  }

  /**
   * Tells a blob that is missing from a store that is gone.
   * @throws IngotError `unavailable` when the root was there before and is not now, `invalid-config` when it is a file.
   */
  async checkRoot(): Promise<void> {
    const kind = await kindOf(this.files, this.root);
    if (kind === 'file')
      throw new IngotError('invalid-config', `${this.root} is a file; a store is a directory`, {
        details: { path: this.root },
      });
    if (kind === 'directory') this.#rootSeen = true;
    if (kind === 'directory' || !this.#rootSeen) return;
    throw new IngotError('unavailable', `the store directory ${this.root} is not there any more`, {
      details: { path: this.root },
    });
  }

  /** Makes a directory below the root with all its parents, and flushes each new name. */
  async ensure(directory: string): Promise<void> {
    if (this.#durable.has(directory)) return;
    await this.checkRoot();
    await this.#makeRoot();
    await this.files.makeDirectory(directory);
    // Every level down from the root is flushed once: another process may have made it a moment ago.
    for (let at = directory; at.length > this.root.length; at = dirname(at)) {
      if (this.#durable.has(at)) break;
      await syncDirectory(this.files, dirname(at));
      this.#remember(at);
    }
  }

  /** Makes a directory below the root with all its parents, for names that may be lost. */
  async make(directory: string): Promise<void> {
    if (this.#durable.has(directory)) return;
    await this.checkRoot();
    await this.#makeRoot();
    await this.files.makeDirectory(directory);
  }

  // A root that was there keeps its mode.
  async #makeRoot(): Promise<void> {
    if (this.#rootSeen) return;
    const first = await this.files.makeDirectory(this.root);
    if (first !== undefined) await syncDirectory(this.files, dirname(first));
    this.#rootSeen = true;
  }

  /** Forgets what is known of a directory that turned out to be gone, and of those above it. */
  forget(directory: string): void {
    for (let at = directory; at.length >= this.root.length; at = dirname(at)) this.#durable.delete(at);
  }

  /**
   * Removes a directory and its parents up to the root, as far as they are empty and have names that do not come again:
   * an id or a time. One that others will need soon is not made anew, and flushed, for each of them.
   */
  async prune(directory: string): Promise<void> {
    for (let at = directory; at.length > this.root.length && NAMED_ONCE.test(basename(at)); at = dirname(at)) {
      this.#durable.delete(at);
      try {
        await this.files.rmdir(at);
      } catch {
        // Not empty, or somebody else removed it: either way it is not ours to remove.
        return;
      }
    }
  }

  #remember(directory: string): void {
    if (this.#durable.size >= REMEMBERED) this.#durable.clear();
    this.#durable.add(directory);
  }
}

async function kindOf(files: FileSystem, path: string): Promise<'directory' | 'file' | undefined> {
  try {
    return (await files.stat(path)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
