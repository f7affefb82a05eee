import type { RepackedPack } from './content/sweep/repack.ts';
import type { Look } from './collect-look.ts';

/** What became of a pack, or would. */
export interface PackFate {
  readonly pack: string;
  readonly sizeBytes: number;
  readonly fate: 'kept' | 'deleted';
  /** Why, for people. */
  readonly reason: string;
}

/** An upload that was given up, or would be. */
export interface AbandonedUpload {
  readonly upload: string;
  readonly modelId: string;
  /** Name of the model, unless it was deleted. */
  readonly model?: string;
}

/** What a collection did, or would do. */
export interface CollectResult {
  readonly run: string;
  readonly dryRun: boolean;
  readonly graceMs: number;
  /** All packs, by id. */
  readonly packs: readonly PackFate[];
  readonly deletedBytes: number;
  readonly keptBytes: number;
  readonly uploads: readonly AbandonedUpload[];
  /** Thin packs that were written again; their old ones go a grace period later. */
  readonly repacked: readonly RepackedPack[];
  /** Former collections that were finished. */
  readonly finished: readonly string[];
  /** Heads, listings and hints that newer ones had replaced. */
  readonly trimmed: number;
}

/** The reason of a pack that nothing names and that a later collection will take. */
export const TOO_YOUNG = 'it is too young';

/** Says of each pack that was seen what became of it: those of `deleted`, with the reason, went. */
export function fatesOf(
  { survey, marks }: Look,
  deleted: ReadonlyMap<string, string>,
  isOld: (modifiedMs: number) => boolean,
): Pick<CollectResult, 'packs' | 'deletedBytes' | 'keptBytes'> {
  const whyKept = (pack: string, modifiedMs: number): string =>
    marks.named.get(pack) ??
    (isOld(modifiedMs) ? 'nothing names it any more: the next collection takes it' : TOO_YOUNG);
  const packs = [...survey.packs].map(([pack, { sizeBytes, modifiedMs }]): PackFate => {
    const reason = deleted.get(pack);
    if (reason !== undefined) return { pack, sizeBytes, fate: 'deleted', reason };
    return { pack, sizeBytes, fate: 'kept', reason: whyKept(pack, modifiedMs) };
  });
  const bytesOf = (fate: PackFate['fate']): number =>
    packs.reduce((sum, pack) => (pack.fate === fate ? sum + pack.sizeBytes : sum), 0);
  return { packs, deletedBytes: bytesOf('deleted'), keptBytes: bytesOf('kept') };
}
