import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import type { RecipeRef } from '../content/content-store.ts';
import { packKey } from '../content/locator.ts';
import { RecipeReader } from '../content/recipe-reader.ts';
import { readMoved } from '../content/sweep/moved.ts';
import { IngotError, isIngotError } from '../errors.ts';
import type { Reference } from '../ref.ts';
import type { ModelState, VersionEntry } from './model-fold.ts';
import type { OpenModel } from './record.ts';
import { keptVersions } from './select.ts';

const LOOKS_AT_ONCE = 32;

/**
 * What has *arrived* in a mirror. `ingot mirror` brings contents before events, but a bucket that its storage replicates
 * gets objects in any order: there a version counts once all of its contents are there.
 */
export class Arrivals {
  readonly #blobs: BlobStore;
  readonly #whole = new Set<string>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /**
   * Gives a version, or, for a reference that moves (`latest` or an alias), the newest one before it that has arrived.
   * @throws IngotError `unavailable` when none has.
   */
  async newestWhole(
    model: OpenModel,
    wanted: VersionEntry,
    { selector }: Reference,
    options: BlobOptions,
  ): Promise<VersionEntry> {
    const { state } = model;
    for (const entry of [wanted, ...earlier(state, wanted, selector)])
      if (await this.#hasArrived(entry.recipe, options)) return entry;
    throw new IngotError(
      'unavailable',
      `version ${wanted.number} of "${model.name}" has not arrived in ${this.#blobs.address} yet: part of its contents is missing`,
      {
        operation: 'resolve',
        retryable: true,
        hint: 'try again later; `ingot check` names what is missing, `ingot mirror` brings it',
        details: { model: model.name, number: wanted.number },
      },
    );
  }

  /** One or two requests for a version whose contents are in few packs; none when it was seen before. */
  async #hasArrived(recipe: RecipeRef, options: BlobOptions): Promise<boolean> {
    if (this.#whole.has(recipe.digest)) return true;
    try {
      const { packs } = await new RecipeReader(this.#blobs).openRecipe(recipe, options);
      if (!(await this.#areThere([recipe.pack, ...packs], options))) return false;
    } catch (error) {
      if (!isIngotError(error, 'content-not-found')) throw error;
      return false;
    }
    this.#whole.add(recipe.digest);
    return true;
  }

  async #areThere(packs: readonly string[], options: BlobOptions): Promise<boolean> {
    const all = [...new Set(packs)];
    for (let from = 0; from < all.length; from += LOOKS_AT_ONCE) {
      const some = all.slice(from, from + LOOKS_AT_ONCE);
      const found = await Promise.all(some.map((pack) => this.#isThere(pack, [], options)));
      if (found.includes(false)) return false;
    }
    return true;
  }

  async #isThere(pack: string, way: readonly string[], options: BlobOptions): Promise<boolean> {
    if ((await this.#blobs.stat(packKey(pack), options)) !== undefined) return true;
    const moved = way.includes(pack) ? undefined : await readMoved(this.#blobs, pack, options);
    if (moved === undefined) return false;
    for (const target of new Set(moved.ranges.map((range) => range.pack)))
      if (!(await this.#isThere(target, [...way, pack], options))) return false;
    return true;
  }
}

/** What a moving reference would have meant before: newest first for `latest`, what the alias named for an alias. */
function earlier(state: ModelState, wanted: VersionEntry, selector: Reference['selector']): readonly VersionEntry[] {
  if (selector.kind === 'latest')
    return keptVersions(state).filter(({ status, number }) => status === 'active' && number < wanted.number);
  if (selector.kind !== 'alias') return [];
  const past = state.aliases.find(({ alias }) => alias === selector.alias)?.past ?? [];
  return past.flatMap((number) => {
    const entry = state.versions[number - 1];
    return entry && entry.status !== 'deleted' ? [entry] : [];
  });
}
