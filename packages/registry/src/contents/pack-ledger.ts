import type { ContentReader, Locator, PageRef, Recipe, RecipeRef } from '@ingot/core/content/content-store';
import type { Piece } from '@ingot/core/content/recipe';
import type { MovedRange } from '@ingot/core/content/sweep/moved';
import type { Digest } from '@ingot/core/digest';
import type { Kysely } from 'kysely';
import { type ByteSpan, joinSpans } from './byte-spans.ts';
import { type Reach, uploadOf } from './reach.ts';
import type { ContentTables, PieceRow, SharedSpanRow } from './tables.ts';

/** A page, and the pieces that it lists. */
export interface PiecesOfPage {
  readonly page: PageRef;
  readonly pieces: readonly Piece[];
}

/** Reads recipes, and the pieces that their pages list. */
export interface PieceReader extends Pick<ContentReader, 'openRecipe'> {
  /** Streams the pieces of some pages, a page at a time. */
  pagesOf(pages: readonly PageRef[]): AsyncIterable<PiecesOfPage>;
}

/** A version, and where its recipe lies. */
export interface RecipeOfVersion {
  readonly modelId: string;
  readonly number: number;
  readonly recipe: RecipeRef;
}

const ROWS_AT_ONCE = 500;
const PAGES_AT_ONCE = 16;
const RECIPES_KEPT = 1000;
const ALIKE_AT_ONCE = 100;

/** Knows which models rely on a pack and on what of it, and where pieces lie that versions have. */
export class PackLedger {
  readonly #tables: Kysely<ContentTables>;
  readonly #reader: PieceReader;
  /** Recipes that were noted for a model by this process: another version with the same one relies on the same. */
  readonly #notedRecipes = new Set<string>();
  #alike: { readonly model_id: string; readonly number: number }[] = [];

  constructor(tables: Kysely<ContentTables>, reader: PieceReader) {
    this.#tables = tables;
    this.#reader = reader;
  }

  /** Reads the recipe of a version into the tables; once for each version, and only pages that the model did not have. */
  async note({ modelId, number, recipe: ref }: RecipeOfVersion): Promise<void> {
    const known = `${modelId} ${ref.digest} ${ref.pack}`;
    if (this.#notedRecipes.has(known)) {
      this.#alike.push({ model_id: modelId, number });
      if (this.#alike.length >= ALIKE_AT_ONCE) await this.noteAlike();
      return;
    }
    if (await this.#isNoted(modelId, number)) return;
    const recipe = await this.#reader.openRecipe(ref);
    const row = { upload: uploadOf(ref.pack), model_id: modelId };
    await this.#tables.insertInto('upload_homes').values(row).onConflict(nothing).execute();
    const isOwn = await this.#ownPacks(modelId);
    const pages = await this.#pagesNotNoted(recipe, modelId);
    await this.#insertShared(pages, modelId, isOwn);
    for await (const some of inGroups(this.#reader.pagesOf(pages))) {
      await this.#tables.transaction().execute(async (transaction) => {
        const within = new PackLedger(transaction, this.#reader);
        for (const { pieces } of some) await within.#insertPieces(pieces);
        const pieces = some.flatMap((page) => page.pieces);
        await within.#insertShared(pieces, modelId, isOwn);
        const rows = some.map(({ page }) => ({ model_id: modelId, page: page.digest }));
        await transaction.insertInto('noted_pages').values(rows).onConflict(nothing).execute();
      });
    }
    // Last: whoever finds a model here, finds what it has of the pack.
    await this.#insertPacks([...new Set([...recipe.packs, ref.pack])], modelId);
    const noted = { model_id: modelId, number };
    await this.#tables.insertInto('noted_versions').values(noted).onConflict(nothing).execute();
    this.#notedRecipes.add(known);
    const [oldest] = this.#notedRecipes;
    if (this.#notedRecipes.size > RECIPES_KEPT && oldest !== undefined) this.#notedRecipes.delete(oldest);
  }

  /** Writes down the versions whose recipes were known; one that is lost is only looked at again. */
  async noteAlike(): Promise<void> {
    const rows = this.#alike;
    this.#alike = [];
    await inBatches(rows, (some) =>
      this.#tables.insertInto('noted_versions').values(some).onConflict(nothing).execute(),
    );
  }

  /** Notes for all models that rely on a pack where its bytes lie now. */
  async noteMoved(pack: string, ranges: readonly MovedRange[]): Promise<void> {
    for (const modelId of await this.modelsOf(pack)) {
      const reach = await this.reachOf(pack, modelId);
      if (reach === undefined) continue;
      const moved = ranges.flatMap((range) => movedSpans(range, reach));
      await this.#insertSpans(
        moved.map(({ start, end, pack: to }) => ({ pack: to, model_id: modelId, start_at: start, end_at: end })),
      );
      await this.#insertPacks([...new Set(moved.map(({ pack: to }) => to))], modelId);
    }
  }

  /** Ids of models whose noted versions rely on a pack. */
  async modelsOf(pack: string): Promise<readonly string[]> {
    const rows = await this.#tables.selectFrom('pack_models').select('model_id').where('pack', '=', pack).execute();
    return rows.map(({ model_id }) => model_id);
  }

  /** Ids of models whose versions an upload became. */
  async homesOf(upload: string): Promise<readonly string[]> {
    const rows = await this.#tables
      .selectFrom('upload_homes')
      .select('model_id')
      .where('upload', '=', upload)
      .execute();
    return rows.map(({ model_id }) => model_id);
  }

  /** What readers of a model may read of a pack on which it relies. */
  async reachOf(pack: string, modelId: string): Promise<Reach | undefined> {
    if ((await this.homesOf(uploadOf(pack))).includes(modelId)) return 'all';
    const rows = await this.#tables
      .selectFrom('shared_spans')
      .select(['start_at', 'end_at'])
      .where('pack', '=', pack)
      .where('model_id', '=', modelId)
      .execute();
    if (rows.length === 0) return undefined;
    return joinSpans(rows.map(({ start_at, end_at }) => ({ start: Number(start_at), end: Number(end_at) })));
  }

  /** Numbers of the versions of a model that were noted, from `from` on. */
  async notedOf(modelId: string, from = 0): Promise<ReadonlySet<number>> {
    const rows = await this.#tables
      .selectFrom('noted_versions')
      .select('number')
      .where('model_id', '=', modelId)
      .where('number', '>=', from)
      .execute();
    const alike = this.#alike.filter(({ model_id }) => model_id === modelId);
    return new Set([...rows, ...alike].map(({ number }) => number));
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

  async #ownPacks(modelId: string): Promise<(pack: string) => boolean> {
    const rows = await this.#tables
      .selectFrom('upload_homes')
      .select('upload')
      .where('model_id', '=', modelId)
      .execute();
    const uploads = new Set(rows.map(({ upload }) => upload));
    return (pack) => uploads.has(uploadOf(pack));
  }

  async #pagesNotNoted({ pages }: Recipe, modelId: string): Promise<readonly PageRef[]> {
    const noted = new Set<string>();
    for (let at = 0; at < pages.length; at += ROWS_AT_ONCE) {
      const digests = pages.slice(at, at + ROWS_AT_ONCE).map(({ digest }) => digest);
      const rows = await this.#tables
        .selectFrom('noted_pages')
        .select('page')
        .where('model_id', '=', modelId)
        .where('page', 'in', digests)
        .execute();
      for (const { page } of rows) noted.add(page);
    }
    return pages.filter(({ digest }) => !noted.has(digest));
  }

  async #insertShared(places: readonly Locator[], modelId: string, isOwn: (pack: string) => boolean): Promise<void> {
    const byPack = new Map<string, ByteSpan[]>();
    for (const { pack, offset, length } of places) {
      if (isOwn(pack)) continue;
      const spans = byPack.get(pack) ?? [];
      spans.push({ start: offset, end: offset + length });
      byPack.set(pack, spans);
    }
    const rows = [...byPack].flatMap(([pack, spans]): readonly SharedSpanRow[] =>
      joinSpans(spans).map(({ start, end }) => ({ pack, model_id: modelId, start_at: start, end_at: end })),
    );
    await this.#insertSpans(rows);
  }

  async #insertPacks(packs: readonly string[], modelId: string): Promise<void> {
    const rows = packs.map((pack) => ({ pack, model_id: modelId }));
    await inBatches(rows, (some) => this.#tables.insertInto('pack_models').values(some).onConflict(nothing).execute());
  }

  async #insertSpans(rows: readonly SharedSpanRow[]): Promise<void> {
    await inBatches(rows, (some) => this.#tables.insertInto('shared_spans').values(some).onConflict(nothing).execute());
  }

  // A newer place replaces an older one, whose pack a collection may have taken.
  async #insertPieces(pieces: readonly Piece[]): Promise<void> {
    const distinct = [...new Map(pieces.map((piece) => [piece.digest, piece])).values()];
    if (distinct.length === 0) return;
    await this.#tables
      .insertInto('pieces')
      .values(distinct.map(rowOf))
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

const nothing = <T>(conflict: { readonly doNothing: () => T }): T => conflict.doNothing();

/** Pages of which a transaction has a few thousand rows. */
async function* inGroups(pages: AsyncIterable<PiecesOfPage>): AsyncIterable<readonly PiecesOfPage[]> {
  let group: PiecesOfPage[] = [];
  for await (const page of pages) {
    group.push(page);
    if (group.length < PAGES_AT_ONCE) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

async function inBatches<T>(rows: readonly T[], insert: (some: readonly T[]) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) await insert(rows.slice(at, at + ROWS_AT_ONCE));
}

function rowOf({ digest, pack, offset, length, coding, sizeBytes }: Piece): PieceRow {
  return { digest, pack, offset, length, coding: coding ?? null, size_bytes: sizeBytes ?? null };
}

/** Where those bytes of a moved range lie now that somebody may read. */
function movedSpans(
  { offset, length, pack, newOffset }: MovedRange,
  reach: Reach,
): readonly (ByteSpan & { readonly pack: string })[] {
  const spans = reach === 'all' ? [{ start: offset, end: offset + length }] : reach;
  return spans.flatMap((span) => {
    const [start, end] = [Math.max(span.start, offset), Math.min(span.end, offset + length)];
    return start < end ? [{ pack, start: start - offset + newOffset, end: end - offset + newOffset }] : [];
  });
}
