import { IngotError } from '../../errors.ts';
import type { CallOptions } from './connection.ts';
import type { SftpFiles } from './files.ts';

const ATTEMPTS = 8;

/** The directories of one store: made when they are needed, removed again when empty. */
export class RemoteDirectories {
  readonly #files: SftpFiles;
  readonly #root: string;

  constructor(files: SftpFiles, root: string) {
    this.#files = files;
    this.#root = root;
  }

  /**
   * Makes a directory with all its parents. Others may make or remove directories at the same time.
   * @throws IngotError `usage` when it lies under a file, `unavailable` when it cannot be made.
   */
  async ensure(path: string, options: CallOptions): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const made = await this.#files.makeDirectory(path, options);
      if (made === 'made') return;
      if (made === 'failed') return this.#checkDirectory(path, options);
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (parent === '' || tries === ATTEMPTS)
        throw new IngotError('unavailable', `${path} cannot be made: its parent is not there`, {
          operation: options.operation,
          details: { path },
        });
      await this.ensure(parent, options);
    }
  }

  /** Removes a directory and its parents up to the root as far as they are empty. */
  async prune(path: string, options: CallOptions): Promise<void> {
    for (let at = path; at.length > this.#root.length; at = at.slice(0, at.lastIndexOf('/'))) {
      if ((await this.#files.removeDirectory(at, options)) === 'failed') return;
    }
  }

  async #checkDirectory(path: string, options: CallOptions): Promise<void> {
    const there = await this.#files.stat(path, options);
    if (there?.isDirectory() === true) return;
    if (there === undefined)
      throw new IngotError('unavailable', `${path} cannot be made`, {
        operation: options.operation,
        details: { path },
      });
    throw new IngotError('usage', `${path} is a blob, so nothing can be written under it`, {
      operation: options.operation,
      details: { path },
    });
  }
}
