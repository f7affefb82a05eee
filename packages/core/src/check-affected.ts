import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { type DamagedVersion, REPAIR_COMMAND, RESTORE_IT } from './check-report.ts';
import type { EntryHasher } from './content/check/hash-entries.ts';
import type { Recipe, RecipeRef } from './content/content-store.ts';
import { packKey } from './content/locator.ts';
import { type Piece, pieceSize } from './content/recipe.ts';
import { type MovedFiles, stops } from './content/sweep/marks.ts';
import { readPage, readRecipe } from './content/sweep/read-live.ts';
import { isIngotError } from './errors.ts';

/** A version, or an attachment of one, whose contents must be there. */
export interface NeededVersion {
  /** The model's name, or its id. */
  readonly model: string;
  readonly number?: number;
  readonly recipe: RecipeRef;
}

/** Offsets of what cannot be read, by pack. */
export type LostRows = ReadonlyMap<string, ReadonlySet<number>>;

/** What {@link damagedVersions} looks things up in. */
export interface LostContext extends BlobOptions {
  readonly blobs: BlobStore;
  readonly lost: LostRows;
  readonly moved: MovedFiles;
  readonly hasher: EntryHasher;
}

/** Says which versions lost something, and which of their files; only what is lost is looked for. */
export async function damagedVersions(
  versions: readonly NeededVersion[],
  context: LostContext,
): Promise<readonly DamagedVersion[]> {
  const damaged: DamagedVersion[] = [];
  for (const version of versions) {
    const hurt = await hurtOf(version.recipe, context);
    if (hurt === undefined) continue;
    const { model, number } = version;
    damaged.push({
      ref: number === undefined ? `an attachment of ${model}` : `${model}:${number}`,
      model,
      ...(number === undefined ? {} : { number }),
      hurt: hurt.files.length === 0 ? 'recipe' : 'files',
      ...hurt,
      repair: REPAIR_COMMAND,
    });
  }
  return damaged;
}

type Hurt = Pick<DamagedVersion, 'files' | 'packs'>;

async function hurtOf(ref: RecipeRef, context: LostContext): Promise<Hurt | undefined> {
  const packs = new Set<string>();
  const isLost = async (piece: Piece): Promise<boolean> => {
    const pack = await lostIn(piece, context);
    if (pack !== undefined) packs.add(pack);
    return pack !== undefined;
  };
  try {
    const recipe = await readRecipe(context.blobs, ref, context.signal ? { signal: context.signal } : {});
    const files = await lostFiles(recipe, isLost, context);
    return packs.size === 0 ? undefined : { files, packs: [...packs] };
  } catch (error) {
    if (!isIngotError(error, 'integrity', 'content-not-found')) throw error;
    return { files: [], packs: [typeof error.details.pack === 'string' ? error.details.pack : ref.pack] };
  }
}

/** The pack in which a piece cannot be read; undefined when it can. */
async function lostIn(piece: Piece, { blobs, lost, moved, hasher, signal }: LostContext): Promise<string | undefined> {
  const places = [piece, ...stops(piece, moved)];
  // A pack that was moved is read at its new place only when it is gone, so any good place may be the one that is read.
  const at = places.find(({ pack, offset }) => lost.get(pack)?.has(offset));
  if (at === undefined || piece.coding === undefined) return at?.pack;
  // Where a footer is damaged, only the page tells that a piece is coded: it was compared as if it were not.
  const there = await blobs.stat(packKey(at.pack), signal ? { signal } : {});
  const entry = {
    digest: piece.digest,
    offset: at.offset,
    length: at.length,
    coding: piece.coding,
    size: pieceSize(piece),
  };
  const isBad = there === undefined || (await hasher.badEntries(at.pack, [entry], there.sizeBytes)).length > 0;
  return isBad ? at.pack : undefined;
}

async function lostFiles(
  recipe: Recipe,
  isLost: (piece: Piece) => Promise<boolean>,
  { blobs, signal }: LostContext,
): Promise<readonly string[]> {
  const ends: { readonly name: string; readonly end: number }[] = [];
  let end = 0;
  for (const { path, role, chunks } of recipe.contents) {
    end += chunks;
    ends.push({ name: path ?? `the ${role}`, end });
  }
  const files = new Set<string>();
  let number = 0;
  let content = 0;
  for (const page of recipe.pages) {
    for (const piece of await readPage(blobs, page, signal ? { signal } : {})) {
      while (number >= (ends[content]?.end ?? Number.POSITIVE_INFINITY)) content += 1;
      if (await isLost(piece)) files.add(ends[content]?.name ?? '');
      number += 1;
    }
  }
  return [...files];
}

/** Gives the versions of models that have no name in `names`, by model. */
export function namelessVersions(
  needed: readonly NeededVersion[],
  names: ReadonlyMap<string, string>,
): readonly { readonly id: string; readonly numbers: readonly number[] }[] {
  return needed.flatMap(({ model, number }) =>
    number === undefined || names.has(model) ? [] : [{ id: model, numbers: [number] }],
  );
}

/** Says of a version that the history which publishes it is damaged. */
export function ofDamagedHistory(model: string, number: number): DamagedVersion {
  return { ref: `${model}:${number}`, model, number, hurt: 'history', files: [], packs: [], repair: RESTORE_IT };
}
