import type { ContentReader, Recipe, RecipeRef } from '@ingot/core/content/content-store';
import type { Digest } from '@ingot/core/digest';
import type { Piece } from '@ingot/core/content/recipe';
import type { Kysely } from 'kysely';
import type { ContentTables } from './tables.ts';

/** Reads recipes, and the pieces that their pages list. */
export interface PieceReader extends Pick<ContentReader, 'openRecipe'> {
  /** Streams the pieces of all pages of a recipe, a page at a time. */
  pagesOf(recipe: Recipe): AsyncIterable<readonly Piece[]>;
}

/** A version, and where its recipe lies. */
export interface RecipeOfVersion {
  readonly modelId: string;
  readonly number: number;
  readonly recipe: RecipeRef;
}

const ROWS_AT_ONCE = 500;

/** Knows which models rely on a pack, and where pieces lie that versions have. */
export class PackLedger {
  readonly #tables: Kysely<ContentTables>;
  readonly #reader: PieceReader;

  constructor(tables: Kysely<ContentTables>, reader: PieceReader) {
    this.#tables = tables;
    this.#reader = reader;
  }

  /** Reads the recipe of a version into the tables; once for each version. */
  async note({ modelId, number, recipe: ref }: RecipeOfVersion): Promise<void> {
    if (await this.#isNoted(modelId, number)) return;
    const recipe = await this.#reader.openRecipe(ref);
    const packs = [...new Set([...recipe.packs, ref.pack])];
    await this.#insertPacks(packs, modelId);
    for await (const pieces of this.#reader.pagesOf(recipe)) await this.#insertPieces(pieces);
    await this.#tables
      .insertInto('noted_versions')
      .values({ model_id: modelId, number })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  /** Ids of models whose noted versions rely on a pack. */
  async modelsOf(pack: string): Promise<readonly string[]> {
    const rows = await this.#tables.selectFrom('pack_models').select('model_id').where('pack', '=', pack).execute();
    return rows.map(({ model_id }) => model_id);
  }

  /** Numbers of the versions of a model that were noted. */
  async notedOf(modelId: string): Promise<ReadonlySet<number>> {
    const rows = await this.#tables
      .selectFrom('noted_versions')
      .select('number')
      .where('model_id', '=', modelId)
      .execute();
    return new Set(rows.map(({ number }) => number));
  }

  /** Places of those of some pieces that versions have. */
  async find(digests: readonly Digest[]): Promise<readonly Piece[]> {
    const rows = await this.#tables.selectFrom('pieces').selectAll().where('digest', 'in', digests).execute();
    const asked = new Map<string, Digest>(digests.map((digest) => [digest, digest]));
    return rows.flatMap(({ digest, pack, offset, length, coding, size_bytes }) => {
      const known = asked.get(digest);
      if (known === undefined) return [];
      const coded = coding === null || size_bytes === null ? {} : { coding, sizeBytes: Number(size_bytes) };
      return [{ digest: known, pack, offset: Number(offset), length: Number(length), ...coded }];
    });
  }

  async #isNoted(modelId: string, number: number): Promise<boolean> {
    const row = await this.#tables
      .selectFrom('noted_versions')
      .select('number')
      .where('model_id', '=', modelId)
      .where('number', '=', number)
      .executeTakeFirst();
    return row !== undefined;
  }

  async #insertPacks(packs: readonly string[], modelId: string): Promise<void> {
    for (let at = 0; at < packs.length; at += ROWS_AT_ONCE)
      await this.#tables
        .insertInto('pack_models')
        .values(packs.slice(at, at + ROWS_AT_ONCE).map((pack) => ({ pack, model_id: modelId })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
  }

  // A newer place replaces an older one, whose pack a collection may have taken.
  async #insertPieces(pieces: readonly Piece[]): Promise<void> {
    const distinct = [...new Map(pieces.map((piece) => [piece.digest, piece])).values()];
    if (distinct.length === 0) return;
    await this.#tables
      .insertInto('pieces')
      .values(
        distinct.map(({ digest, pack, offset, length, coding, sizeBytes }) => ({
          digest,
          pack,
          offset,
          length,
          coding: coding ?? null,
          size_bytes: sizeBytes ?? null,
        })),
      )
      .onConflict((conflict) =>
        conflict.column('digest').doUpdateSet((set) => ({
          pack: set.ref('excluded.pack'),
          offset: set.ref('excluded.offset'),
          length: set.ref('excluded.length'),
          coding: set.ref('excluded.coding'),
          size_bytes: set.ref('excluded.size_bytes'),
        })),
      )
      .execute();
  }
}
