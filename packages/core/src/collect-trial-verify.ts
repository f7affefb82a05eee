import type { BlobStore } from './blob/blob-store.ts';
import type { Locator, RecipeRef } from './content/content-store.ts';
import { packKey } from './content/locator.ts';
import { followMoved } from './content/sweep/moved.ts';
import { readPage, readRange, readRecipe } from './content/sweep/read-live.ts';
import { type Digest, digestOf } from './digest.ts';
import { isIngotError } from './errors.ts';
import { CareLogs, neededRecipes } from './registry/care-logs.ts';

type Needed = Locator & { readonly digest: Digest };

/** Looks after a store in a trial: whether all that its versions need can be read, at any moment. */
export class Verifier {
  readonly #blobs: BlobStore;
  readonly #logs: CareLogs;
  readonly #needed = new Map<string, readonly Needed[]>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
    this.#logs = new CareLogs(blobs);
  }

  /** Says what of the versions that stand is nowhere; with `wholly`, also what has other bytes. */
  async missing(wholly: boolean): Promise<readonly string[]> {
    const missing: string[] = [];
    const { models } = await this.#logs.read();
    for (const model of models.values()) {
      for (const { label, recipe } of neededRecipes(model)) {
        try {
          for (const place of await this.#placesOf(recipe)) await this.#check(place, wholly);
        } catch (error) {
          if (!isIngotError(error)) throw error;
          missing.push(`${label}: ${error.message}`);
        }
      }
    }
    return missing;
  }

  async #placesOf(ref: RecipeRef): Promise<readonly Needed[]> {
    const key = `${ref.pack} ${ref.offset}`;
    const known = this.#needed.get(key);
    if (known !== undefined) return known;
    const recipe = await readRecipe(this.#blobs, ref, {});
    const pieces = await Promise.all(recipe.pages.map((page) => readPage(this.#blobs, page, {})));
    const places = [ref, ...recipe.pages, ...pieces.flat()];
    this.#needed.set(key, places);
    return places;
  }

  async #check(place: Needed, wholly: boolean): Promise<void> {
    const isThere = (await this.#blobs.stat(packKey(place.pack))) ?? (await followMoved(this.#blobs, place));
    if (isThere !== undefined && !wholly) return;
    const bytes = await readRange(this.#blobs, place, `piece ${place.digest}`, {});
    if (digestOf(bytes) !== place.digest) throw new TypeError(`${place.digest} has other bytes`);
  }
}
