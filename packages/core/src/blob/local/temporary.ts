import type { FileHandle } from 'node:fs/promises';
import { lstat, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../../errors.ts';
import type { Directories } from './directories.ts';

/** Hidden directory of a store in which blobs are written before they get their names. */
export const TEMPORARY_DIRECTORY = '.tmp';

/** A temporary file, open for writing. */
export interface TemporaryFile {
  readonly path: string;
  readonly handle: FileHandle;
}

/** Makes temporary files, and removes those that writers long dead left behind. */
export class TemporaryFiles {
  readonly #directories: Directories;
  readonly #randomId: () => string;
  readonly #staleAfterMs: number;
  #swept = false;

  constructor(directories: Directories, randomId: () => string, staleAfterMs: number) {
    this.#directories = directories;
    this.#randomId = randomId;
    this.#staleAfterMs = staleAfterMs;
  }

  get #directory(): string {
    return join(this.#directories.root, TEMPORARY_DIRECTORY);
  }

  /** Opens a new temporary file under a name that nobody else has. */
  async create(): Promise<TemporaryFile> {
    await this.#directories.ensure(this.#directory);
    const path = join(this.#directory, this.#randomId());
    const handle = await this.#open(path);
    if (!this.#swept) {
      this.#swept = true;
      await this.#sweep((await handle.stat()).mtimeMs);
    }
    return { path, handle };
  }

  async #open(path: string): Promise<FileHandle> {
    try {
      return await open(path, 'wx');
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      this.#directories.forget(this.#directory);
      await this.#directories.ensure(this.#directory);
      return open(path, 'wx');
    }
  }

  // Ages compare the storage's own times. A writer that lives but stood still for so long loses its temporary file and
  // then fails to name it, which is an error it can retry; nothing half-written can become visible.
  async #sweep(storageNowMs: number): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      try {
        if (storageNowMs - (await lstat(path)).mtimeMs > this.#staleAfterMs)
          await rm(path, { recursive: true, force: true });
      } catch (error) {
        // Its writer, or another sweep, was faster.
        if (systemErrorCode(error) !== 'ENOENT') throw error;
      }
    }
  }
}
