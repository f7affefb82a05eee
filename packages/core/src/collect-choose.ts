/** What a collection decides from what it saw: which packs look unneeded, which go, and which are too thin. */

import type { Look, Observer } from './collect-look.ts';
import type { FinalList, StandingList } from './content/sweep/condemned.ts';
import { isSuperseded, type SupersededInput } from './content/sweep/marks.ts';
import type { ThinPack } from './content/sweep/repack.ts';

/** Why a pack goes that nothing names. */
export const UNNAMED = 'nothing names it';

/** Why a pack goes that is named still. */
export const MOVED = 'what is needed of it was moved';

/** What stays the same through a collection. */
export interface Given {
  /** Where the rows and moved files are that its looks have read. */
  readonly observer: Pick<Observer, 'index' | 'moved'>;
  /** Whether something is older than the grace period, by its time in the storage. */
  readonly isOld: (modifiedMs: number) => boolean;
}

/** Packs that look unneeded and are old enough, with the reason; and packs of which only a moved file is left. */
export function chooseCondemned({ survey, marks }: Look, { observer, isOld }: Given): ReadonlyMap<string, string> {
  const condemned = new Map<string, string>();
  const { index, moved } = observer;
  const input: SupersededInput = {
    index,
    moved,
    marks,
    movedBefore: new Set(survey.moved.keys()),
    isThere: (other) => survey.packs.has(other),
    isCondemned: () => false,
  };
  for (const [pack, { modifiedMs }] of survey.packs) {
    if (!isOld(modifiedMs)) continue;
    if (!marks.named.has(pack)) condemned.set(pack, UNNAMED);
    else if (isOld(survey.moved.get(pack) ?? Number.POSITIVE_INFINITY) && isSuperseded(pack, input))
      condemned.set(pack, MOVED);
  }
  for (const [pack, modifiedMs] of survey.moved) {
    if (!survey.packs.has(pack) && !marks.named.has(pack) && isOld(modifiedMs))
      condemned.set(pack, 'nothing follows its moved file');
  }
  return condemned;
}

/** The looks before and after the lists stood, and all lists. */
export interface Seen {
  readonly before: Look;
  readonly after: Look;
  readonly lists: readonly StandingList[];
}

/** What of a condemned list goes: all but what is named by now and cannot be read elsewhere. */
export function judge(
  { run, packs }: StandingList,
  { before, after, lists }: Seen,
  { observer }: Pick<Given, 'observer'>,
): FinalList {
  const others = new Set(lists.flatMap((list) => (list.run === run ? [] : list.packs)));
  const input: SupersededInput = {
    index: observer.index,
    moved: observer.moved,
    marks: after.marks,
    movedBefore: new Set(before.survey.moved.keys()),
    isThere: (pack) => after.survey.packs.has(pack),
    isCondemned: (pack) => others.has(pack),
  };
  const unnamed = packs.filter((pack) => !after.marks.named.has(pack));
  const moved = packs.filter((pack) => after.marks.named.has(pack) && isSuperseded(pack, input));
  return { packs: [...unnamed, ...moved], moved };
}

/** When a pack is thin. */
export interface ThinRule {
  /** Packs of which less than this share is needed. Default: 0.5; 0: none. */
  readonly repackBelow?: number;
  /** Bytes that writing it again must save. Default: 64 KiB. */
  readonly repackAtLeastBytes?: number;
  /** Whether somebody has condemned or deleted it. */
  readonly isTaken: (pack: string) => boolean;
}

/** Old packs of which little is needed, that no root pins and nobody has moved, condemned or deleted. */
export function thinPacks(
  { survey, marks }: Look,
  { repackBelow = 0.5, repackAtLeastBytes = 64 * 1024, isTaken }: ThinRule,
  { observer, isOld }: Given,
): readonly ThinPack[] {
  const thin: ThinPack[] = [];
  for (const [pack, { sizeBytes, modifiedMs }] of survey.packs) {
    if (!isOld(modifiedMs) || !marks.named.has(pack) || marks.pinned.has(pack)) continue;
    if (survey.moved.has(pack) || isTaken(pack)) continue;
    const rows = observer.index.rows(pack);
    if (rows.bytes < sizeBytes * repackBelow && sizeBytes - rows.bytes >= repackAtLeastBytes)
      thin.push({ pack, sizeBytes, rows });
  }
  return thin;
}
