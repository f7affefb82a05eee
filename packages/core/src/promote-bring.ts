import { IngotError } from './errors.ts';
import type { OnProgress } from './progress.ts';
import { type CheckedHistory, originOf } from './promote-origin.ts';
import { type ArrivalPlace, contentOfBytes, contentsOf, factsOf, inOrder, storeVersion } from './promote-version.ts';
import type { Reference } from './ref.ts';
import type { VersionRecord } from './registry/registry.ts';

/** A registry that versions leave, or at which they arrive. */
export interface PromotionEnd extends ArrivalPlace {
  /** Its address, without secrets. */
  readonly address: string;
  /** Id of its store, where that is known. */
  readonly store?: string;
}

/** Both registries of a walk from one to the other. */
export interface TwoEnds {
  readonly from: PromotionEnd;
  readonly to: PromotionEnd;
}

/** A version where it is now, and the history of its model there. */
export interface LeavingVersion {
  readonly source: VersionRecord;
  readonly history: CheckedHistory;
}

/** Options of {@link bringVersion}. */
export interface BringOptions extends TwoEnds {
  /** Its number there, higher than every other. Default: the next one. */
  readonly number?: number;
  /** Whether it is published retired. Default: false. */
  readonly retired?: boolean;
  /** Why, for the history there. */
  readonly reason?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** What bringing a version came to. */
export interface BroughtVersion {
  /** The version there. */
  readonly version: VersionRecord;
  /** Bytes that were stored there, and bytes that it had. */
  readonly bytes: { readonly new: number; readonly stored: number };
}

/**
 * Brings a version into another registry: its contents, unchanged, and the history that it has, as a version there which
 * says where it comes from. What an interrupted call has stored is found by the next one.
 * @throws IngotError `conflict` for a number that is taken; and as reading and storing do.
 */
export async function bringVersion(
  { source, history }: LeavingVersion,
  { from, to, number, retired = false, reason, signal, onProgress }: BringOptions,
): Promise<BroughtVersion> {
  const recipe = await from.contents.openRecipe(source.recipe, { ...(signal && { signal }) });
  const { retired: _, lineage, ...facts } = factsOf(source);
  const origins = [...(lineage?.origins ?? []), originOf(from, source, history)];
  const contents = inOrder([
    ...contentsOf(from.contents, recipe, signal),
    contentOfBytes('history', history.bytes, history.digest),
  ]);
  const said = { ...facts, lineage: { ...lineage, origins }, ...(retired && { retired }) };
  const name = source.model;
  await using arrival = await storeVersion({ name, facts: said, contents }, to, { signal, onProgress });
  const { version, existed } = await to.registry.publish(name, arrival.draft, {
    signal,
    ...(reason === undefined ? {} : { reason }),
    ...(number === undefined ? {} : { number }),
  });
  await arrival.release();
  if (source.card !== undefined && !existed)
    await to.registry.update(referenceOf(version), { card: source.card }, { signal });
  return { version, bytes: arrival.bytes };
}

/** Refuses what would go from a registry into itself. Throws `usage`. */
export function refuseOneRegistry(
  { from, to }: TwoEnds,
  { operation, hint }: { readonly operation: string; readonly hint?: string },
): void {
  if (from.address !== to.address && (from.store === undefined || from.store !== to.store)) return;
  throw new IngotError('usage', `${from.address} and ${to.address} are one registry`, {
    operation,
    ...(hint === undefined ? {} : { hint }),
  });
}

function referenceOf({ model, number }: VersionRecord): Reference {
  return { name: model, selector: { kind: 'version', number } };
}
