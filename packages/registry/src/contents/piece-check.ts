import type { BlobOptions } from '@ingot/core/blob/blob-store';
import type { Locator, PageRef, Recipe } from '@ingot/core/content/content-store';
import type { PackedEntry } from '@ingot/core/content/pack';
import type { Piece } from '@ingot/core/content/recipe';
import { IngotError } from '@ingot/core/errors';
import { type ByteSpan, liesIn } from './byte-spans.ts';
import type { FooterShelf } from './footer-shelf.ts';
import type { PieceReader } from './pack-ledger.ts';
import type { Reach } from './reach.ts';

/** What checking pieces needs. */
export interface PieceCheckOptions {
  readonly reader: Pick<PieceReader, 'pagesOf'>;
  readonly footers: Pick<FooterShelf, 'entriesOf'>;
}

/** A recipe to check. */
export interface PiecesToCheck {
  readonly recipe: Recipe;
  /** What the caller may read of each pack that the recipe names. */
  readonly reaches: ReadonlyMap<string, Reach>;
  /** Pages that were checked before, for the same model. */
  readonly trusted: ReadonlySet<string>;
}

/**
 * Checks that every piece of a recipe lies where the recipe says, as the pack's own footer lists it, in packs that the
 * recipe names and within what the caller may read.
 * @throws IngotError `integrity`, `forbidden`.
 */
export async function checkPieces(
  { recipe, reaches, trusted }: PiecesToCheck,
  { reader, footers }: PieceCheckOptions,
  options: BlobOptions,
): Promise<void> {
  const listed = new Listed(footers, options);
  const check = (place: Locator): void => checkReach(place, reaches);
  check(recipe.ref);
  const fresh = recipe.pages.filter(({ digest }) => !trusted.has(digest));
  for (const page of fresh) check(page);
  let seen = 0;
  for await (const { page, pieces } of reader.pagesOf(fresh)) {
    seen += 1;
    if (pieces.length !== page.pieces) throw wrong(page, `it has ${pieces.length} pieces`);
    for (const piece of pieces) {
      check(piece);
      await listed.require(piece, page);
    }
  }
  if (seen < fresh.length)
    throw new IngotError('integrity', `${fresh.length - seen} pages of the recipe are not there`);
}

function checkReach({ pack, offset, length }: Locator, reaches: ReadonlyMap<string, Reach>): void {
  const reach = reaches.get(pack);
  if (reach === undefined)
    throw new IngotError('invalid-package', `the package has pieces in pack ${pack}, which its recipe does not name`);
  const span: ByteSpan = { start: offset, end: offset + length };
  if (reach === 'all' || liesIn(span, reach)) return;
  throw new IngotError('forbidden', `the package relies on parts of pack ${pack} that are not yours to read`);
}

/** The entries of packs by offset, read when a piece lies there. */
class Listed {
  readonly #footers: Pick<FooterShelf, 'entriesOf'>;
  readonly #options: BlobOptions;
  readonly #packs = new Map<string, ReadonlyMap<number, PackedEntry>>();

  constructor(footers: Pick<FooterShelf, 'entriesOf'>, options: BlobOptions) {
    this.#footers = footers;
    this.#options = options;
  }

  async require(piece: Piece, page: PageRef): Promise<void> {
    const entries = this.#packs.get(piece.pack) ?? (await this.#load(piece.pack));
    const entry = entries.get(piece.offset);
    const isSame =
      entry?.digest === piece.digest &&
      entry.length === piece.length &&
      entry.coding === piece.coding &&
      entry.size === piece.sizeBytes;
    if (!isSame) throw wrong(page, `it lists ${piece.digest} in pack ${piece.pack}, where that is not`);
  }

  async #load(pack: string): Promise<ReadonlyMap<number, PackedEntry>> {
    const entries = await this.#footers.entriesOf(pack, this.#options);
    const byOffset = new Map(entries.map((entry) => [entry.offset, entry]));
    this.#packs.set(pack, byOffset);
    return byOffset;
  }
}

function wrong({ digest }: PageRef, why: string): IngotError {
  return new IngotError('integrity', `the page ${digest} is not true: ${why}`, { hint: 'push again' });
}
