import type { ReadOptions, Recipe } from '@ingot/core/content/content-store';
import type { Digest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import type { ArtifactContext } from './artifact-context.ts';
import { type ArtifactFile, findFile, recipesOf } from './artifact-rows.ts';

/** Recipes kept: those of large files are read for each range. */
const RECIPES_KEPT = 64;

/** Reads bytes of artifacts from wherever they lie. */
export class ArtifactReader {
  readonly #context: ArtifactContext;
  readonly #recipes = new Map<string, Promise<Recipe>>();

  constructor(context: ArtifactContext) {
    this.#context = context;
  }

  /**
   * Streams a file or a range of it; a whole one is checked against its digest.
   * @throws IngotError `not-found` when it went meanwhile, `content-not-found`, `integrity`.
   */
  async *read(file: ArtifactFile, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const place = file.holding ?? (await this.#staged(file));
    if (typeof place !== 'string') {
      const { start, end } = options.range ?? { start: 0, end: place.byteLength };
      yield place.subarray(start, end);
      return;
    }
    yield* this.#context.store.contents.read(await this.recipe(place), file.digest, options);
  }

  /** The recipe of a holding. */
  async recipe(holding: string): Promise<Recipe> {
    const known = this.#recipes.get(holding);
    const opening = known ?? this.#open(holding);
    this.#recipes.delete(holding);
    this.#recipes.set(holding, opening);
    const [oldest] = this.#recipes.keys();
    if (this.#recipes.size > RECIPES_KEPT && oldest !== undefined) this.#recipes.delete(oldest);
    try {
      return await opening;
    } catch (error) {
      this.#recipes.delete(holding);
      throw error;
    }
  }

  async #open(holding: string): Promise<Recipe> {
    const { database, store } = this.#context;
    const [ref] = await recipesOf(database.own, [holding]);
    if (ref === undefined) throw new IngotError('content-not-found', 'the file has no contents any more');
    return await store.contents.openRecipe(ref);
  }

  /** Bytes that are staged, or the holding that they were moved to meanwhile. */
  async #staged({ path, digest }: ArtifactFile): Promise<Uint8Array | string> {
    const bytes = await stagedBytes(this.#context, path, digest);
    if (bytes !== undefined) return bytes;
    const again = await findFile(this.#context.database.own, path);
    if (again?.digest === digest && again.holding !== undefined) return again.holding;
    throw new IngotError('not-found', `No such artifact: ${path}`);
  }
}

/** Bytes of a file that is in no pack yet; undefined when it is in one, or another file has the name. */
export async function stagedBytes(
  { database }: Pick<ArtifactContext, 'database'>,
  path: string,
  digest: Digest,
): Promise<Uint8Array | undefined> {
  const row = await database.own
    .selectFrom('artifact_staged')
    .select('bytes')
    .where('path', '=', path)
    .where('digest', '=', digest)
    .executeTakeFirst();
  return row?.bytes;
}
