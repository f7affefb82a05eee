import { TEMPORARY_DIRECTORY } from '../local/temporary.ts';
import type { CallOptions } from './connection.ts';
import type { RemoteDirectories } from './directories.ts';
import type { SftpFiles } from './files.ts';
import type { RemoteFile } from './transfer.ts';

/** Makes temporary files, and removes those that writers long dead left behind. */
export class RemoteTemporaryFiles {
  readonly #files: SftpFiles;
  readonly #directories: RemoteDirectories;
  readonly #directory: string;
  readonly #randomId: () => string;
  readonly #staleAfterMs: number;
  #swept = false;

  constructor(
    files: SftpFiles,
    directories: RemoteDirectories,
    root: string,
    randomId: () => string,
    staleAfterMs: number,
  ) {
    this.#files = files;
    this.#directories = directories;
    this.#directory = `${root}/${TEMPORARY_DIRECTORY}`;
    this.#randomId = randomId;
    this.#staleAfterMs = staleAfterMs;
  }

  /** Opens a new temporary file under a name that nobody else has. */
  async create(options: CallOptions): Promise<RemoteFile> {
    const path = `${this.#directory}/${this.#randomId()}`;
    for (;;) {
      const handle = await this.#files.create(path, options);
      if (handle === undefined) {
        await this.#directories.ensure(this.#directory, options);
        continue;
      }
      if (!this.#swept) {
        this.#swept = true;
        await this.#sweep((await this.#files.statHandle(handle, path, options)).mtime, options);
      }
      return { handle, path };
    }
  }

  // Ages compare the storage's own times.
  async #sweep(storageNow: number, options: CallOptions): Promise<void> {
    for (const { filename, attrs } of (await this.#files.list(this.#directory, options)) ?? []) {
      if (attrs.isFile() && (storageNow - attrs.mtime) * 1000 > this.#staleAfterMs)
        await this.#files.unlink(`${this.#directory}/${filename}`, options);
    }
  }
}
