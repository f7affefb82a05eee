import { open, rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { IngotError, systemErrorCode } from '../../errors.ts';
import { makeDirectory } from '../../make-directory.ts';

const REMEMBERED = 4096;

/** Flushes a directory, so that the names in it survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some shares cannot flush a directory; they make names durable on their own.
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EISDIR', 'EBADF'].includes(systemErrorCode(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

/**
 * The directories of one store: made durable from the root down, removed again when empty. A root that was there once
 * is never made anew: it is an unmounted share, and writing under its mount point would lose what is written.
 */
export class Directories {
  readonly root: string;
  readonly #durable = new Set<string>();
  #rootSeen = false;

  constructor(root: string) {
    this.root = root;
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
    const kind = await kindOf(this.root);
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
    await makeDirectory(directory);
    // Every level down from the root is flushed once: another process may have made it a moment ago.
    for (let at = directory; at.length > this.root.length; at = dirname(at)) {
      if (this.#durable.has(at)) break;
      await syncDirectory(dirname(at));
      this.#remember(at);
    }
  }

  // A store may hold other people's data: a root made here is for its owner alone, one that was there keeps its mode.
  async #makeRoot(): Promise<void> {
    if (this.#rootSeen) return;
    const first = await makeDirectory(this.root, { mode: 0o700 });
    if (first !== undefined) await syncDirectory(dirname(first));
    this.#rootSeen = true;
  }

  /** Forgets what is known of a directory that turned out to be gone, and of those above it. */
  forget(directory: string): void {
    for (let at = directory; at.length >= this.root.length; at = dirname(at)) this.#durable.delete(at);
  }

  /** Removes a directory and its parents up to the root as far as they are empty. */
  async prune(directory: string): Promise<void> {
    for (let at = directory; at.length > this.root.length; at = dirname(at)) {
      this.#durable.delete(at);
      try {
        await rmdir(at);
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

async function kindOf(path: string): Promise<'directory' | 'file' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
