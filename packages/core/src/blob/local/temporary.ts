import { join } from 'node:path';
import { systemErrorCode } from '../../errors.ts';
import type { Directories } from './directories.ts';
import type { NewFile } from './new-file.ts';

/** Hidden directory of a store in which blobs are written before they get their names. */
export const TEMPORARY_DIRECTORY = '.tmp';

/** A temporary file, open for writing. */
export interface TemporaryFile {
  readonly path: string;
  readonly handle: NewFile;
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

  async #open(path: string): Promise<NewFile> {
    try {
      return await this.#directories.files.create(path);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      this.#directories.forget(this.#directory);
      await this.#directories.ensure(this.#directory);
      return this.#directories.files.create(path);
    }
  }

  // Ages compare the storage's own times. A writer that lives but stood still for so long loses its temporary file and
  // then fails to name it, which is an error it can retry; nothing half-written can become visible.
  async #sweep(storageNowMs: number): Promise<void> {
    const { files } = this.#directories;
    for (const { name } of await files.readdir(this.#directory)) {
      const path = join(this.#directory, name);
      try {
        if (storageNowMs - (await files.lstat(path)).mtimeMs > this.#staleAfterMs) await files.remove(path);
      } catch (error) {
        // Its writer, or another sweep, was faster; or it is a teammate's, who sweeps it.
        if (!['ENOENT', 'EACCES', 'EPERM'].includes(systemErrorCode(error) ?? '')) throw error;
      }
    }
  }
}
