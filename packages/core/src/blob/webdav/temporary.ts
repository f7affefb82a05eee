import { bodyOf } from '../bytes.ts';
import { DIRECTORY_FORM_MARK } from '../local/place.ts';
import { TEMPORARY_DIRECTORY } from '../local/temporary.ts';
import type { Dav, DavListing, DavOptions } from './dav.ts';
import type { Folders } from './folders.ts';

const TIDYING_MS = 2000;

/** Collections in which blobs are written before they get their names, and into which they go before they are removed. */
export class TemporaryCollections {
  readonly #dav: Dav;
  readonly #folders: Folders;
  readonly #randomId: () => string;
  readonly #staleAfterMs: number;
  #prepared: Promise<void> | undefined;

  constructor(dav: Dav, folders: Folders, randomId: () => string, staleAfterMs: number) {
    this.#dav = dav;
    this.#folders = folders;
    this.#randomId = randomId;
    this.#staleAfterMs = staleAfterMs;
  }

  /** Makes a new collection and gives its path. One request; a few more the first time. */
  async create(options: DavOptions): Promise<string> {
    const path = await this.reserve(options);
    for (let tries = 1; ; tries += 1) {
      const made = await this.#dav.makeCollection(path, options);
      if (made !== 'no-parent' || tries === 4) return path;
      await this.#folders.ensure(TEMPORARY_DIRECTORY, options);
    }
  }

  /** Gives a path at which nothing lies and where a collection can be put. */
  async reserve(options: DavOptions): Promise<string> {
    // One that fails is not remembered: the next write tries again.
    this.#prepared ??= this.#prepare(options).catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    await this.#prepared;
    return `${TEMPORARY_DIRECTORY}/${this.#randomId()}`;
  }

  /** Removes a collection that is not needed any more; what cannot be removed now is swept later. Whoever interrupts does not wait for it. */
  async discard(path: string, interrupted?: AbortSignal): Promise<void> {
    const options = { operation: 'blob.write', signal: AbortSignal.timeout(TIDYING_MS) };
    const removed = this.#dav.remove(`${path}/`, options).catch(() => {});
    if (interrupted?.aborted !== true) await removed;
  }

  async #prepare(options: DavOptions): Promise<void> {
    const made = await this.#folders.ensure(TEMPORARY_DIRECTORY, options);
    // The mark tells whoever reads the same directory as files that blobs are directories.
    if ((await this.#dav.file(DIRECTORY_FORM_MARK, options)) === undefined)
      await this.#dav.put(DIRECTORY_FORM_MARK, DIRECTORY_FORM_MARK, bodyOf(''), options);
    if (made === 'exists') await this.#sweep(await this.#dav.look(TEMPORARY_DIRECTORY, options));
  }

  // Ages compare the storage's own times: a collection counts as dead when another one is so much younger.
  async #sweep(listing: DavListing | undefined): Promise<void> {
    if (listing === undefined) return;
    const newest = Math.max(Number(listing.self.modifiedAt), ...[...listing.children.values()].map(timeOf));
    for (const [name, resource] of listing.children) {
      if (newest - timeOf(resource) > this.#staleAfterMs) await this.discard(`${TEMPORARY_DIRECTORY}/${name}`);
    }
  }
}

const timeOf = ({ modifiedAt }: { readonly modifiedAt: Date }) => Number(modifiedAt);
