import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { type DamagedVersion, REPAIR_COMMAND, RESTORE_IT } from './check-report.ts';
import type { Locator, Recipe, RecipeRef } from './content/content-store.ts';
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

/** Says which versions lost something, and which of their files; only what is lost is looked for. */
export async function damagedVersions(
  blobs: BlobStore,
  versions: readonly NeededVersion[],
  lost: LostRows,
  moved: MovedFiles,
  options: BlobOptions,
): Promise<readonly DamagedVersion[]> {
  const damaged: DamagedVersion[] = [];
  for (const version of versions) {
    const hurt = await hurtOf(blobs, version.recipe, lost, moved, options);
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

async function hurtOf(
  blobs: BlobStore,
  ref: RecipeRef,
  lost: LostRows,
  moved: MovedFiles,
  options: BlobOptions,
): Promise<Hurt | undefined> {
  const packs = new Set<string>();
  const isLost = (place: Locator): boolean => {
    const places = [place, ...stops(place, moved)];
    // A pack that was moved is read at its new place only when it is gone, so any good place may be the one that is read.
    const at = places.find(({ pack, offset }) => lost.get(pack)?.has(offset));
    if (at !== undefined) packs.add(at.pack);
    return at !== undefined;
  };
  try {
    const recipe = await readRecipe(blobs, ref, options);
    const files = await lostFiles(blobs, recipe, isLost, options);
    return packs.size === 0 ? undefined : { files, packs: [...packs] };
  } catch (error) {
    if (!isIngotError(error, 'integrity', 'content-not-found')) throw error;
    return { files: [], packs: [typeof error.details.pack === 'string' ? error.details.pack : ref.pack] };
  }
}

async function lostFiles(
  blobs: BlobStore,
  recipe: Recipe,
  isLost: (place: Locator) => boolean,
  options: BlobOptions,
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
    for (const piece of await readPage(blobs, page, options)) {
      while (number >= (ends[content]?.end ?? Number.POSITIVE_INFINITY)) content += 1;
      if (isLost(piece)) files.add(ends[content]?.name ?? '');
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
