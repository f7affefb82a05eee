import { IngotError } from '../../errors.ts';
import { INNER_FILE } from '../local/names.ts';
import type { Dav, DavOptions } from './dav.ts';

const REMEMBERED = 4096;

/** The collections of a store: made when they are needed, and told apart from those that are blobs. */
export class Folders {
  readonly #dav: Dav;
  readonly #known = new Set<string>();

  constructor(dav: Dav) {
    this.#dav = dav;
  }

  /** Makes a collection with all its parents, those of the store's root included. One request where it is there. */
  async ensure(path: string, options: DavOptions): Promise<'made' | 'exists'> {
    return this.#make(this.#dav.pathOf(path).replace(/\/+$/, ''), options);
  }

  /**
   * Checks that blobs can lie in a collection. One request for each collection, once.
   * @throws IngotError `usage` when it is a blob itself.
   */
  async checkHoldsBlobs(path: string, options: DavOptions): Promise<void> {
    if (path === '' || this.#known.has(path)) return;
    if ((await this.#dav.file(`${path}/${INNER_FILE}`, options)) !== undefined)
      throw new IngotError('usage', `"${path}" is a blob, so nothing can be written under it`, {
        operation: options.operation,
      });
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.add(path);
  }

  /** Forgets a collection that is removed. */
  forget(path: string): void {
    this.#known.delete(path);
  }

  // Another writer may make or remove collections at the same time.
  async #make(serverPath: string, options: DavOptions): Promise<'made' | 'exists'> {
    for (let tries = 1; ; tries += 1) {
      const result = await this.#dav.makeCollectionAt(serverPath, options);
      if (result !== 'no-parent') return result;
      const parent = serverPath.slice(0, serverPath.lastIndexOf('/'));
      if (parent === '' || tries === 4)
        throw new IngotError('unavailable', `the server makes no folder ${decodeURIComponent(serverPath)}`, {
          operation: options.operation,
          details: { path: decodeURIComponent(serverPath) },
        });
      await this.#make(parent, options);
    }
  }
}
