/**
 * A *promotion between registries* brings a version from one registry into another: its contents, unchanged, as a version
 * of its own there, which says where it comes from; then an alias there names it. Both histories tell of it.
 */

import { IngotError, isIngotError } from './errors.ts';
import type { OnProgress } from './progress.ts';
import { bringVersion, type PromotionEnd, refuseOneRegistry } from './promote-bring.ts';
import { type BroughtAttachments, bringAttachments } from './promote-attachments.ts';
import { readHistory } from './promote-origin.ts';
import { PROMOTED_TAG, viewOf } from './promote-version.ts';
import type { ModelName, Reference } from './ref.ts';
import type { AliasMove, VersionRecord } from './registry/registry.ts';

/** Options of {@link promoteBetween}. */
export interface PromoteOptions {
  readonly from: PromotionEnd;
  readonly to: PromotionEnd;
  /** The alias that names the version there. */
  readonly alias: string;
  /** Why, for both histories. */
  readonly reason?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** What a promotion finds before it does anything. */
export interface PromotionPlan {
  readonly source: VersionRecord;
  readonly model: ModelName;
  /** The version there that has this content already. */
  readonly there?: number;
  /** The version there that the alias names now. */
  readonly current: number | null;
}

/** What a promotion did. */
export interface Promotion extends PromotionPlan {
  /** The version there. */
  readonly version: VersionRecord;
  /** Bytes that were stored there, and bytes that it had; undefined when it had the version. */
  readonly bytes?: { readonly new: number; readonly stored: number };
  /** Signatures, SBOMs and whatever else is attached to it. */
  readonly attached: BroughtAttachments;
  readonly move: AliasMove;
  /** Whether the history of the source tells of it; false where one may not write there. */
  readonly noted: boolean;
}

/**
 * Says what a promotion would do; writes nothing.
 * @throws IngotError `usage` when both ends are one store; as resolving does.
 */
export async function planPromotion(reference: Reference, options: PromoteOptions): Promise<PromotionPlan> {
  const { from, to, alias, signal } = options;
  refuseOneRegistry(options, { operation: 'promote', hint: 'ingot promote REF   (without --from and --to)' });
  const source = await from.registry.version(reference, { signal });
  const view = await viewOf(to.registry, source.model, signal);
  const there = view?.all.find(({ manifest, status }) => manifest === source.manifest && status === 'active');
  return {
    source,
    model: source.model,
    current: view?.aliases[alias] ?? null,
    ...(there === undefined ? {} : { there: there.number }),
  };
}

/**
 * Promotes a version into another registry. Done again, it goes on where it was interrupted, and a version that is there
 * is not copied again.
 * @throws IngotError `refused` or `forbidden` when the alias may not name the version there, which is there then, with
 *   `details.number`; and as resolving, reading and storing do.
 */
export async function promoteBetween(reference: Reference, options: PromoteOptions): Promise<Promotion> {
  const plan = await planPromotion(reference, options);
  const { to, alias, signal } = options;
  const reason = options.reason === undefined ? {} : { reason: options.reason };
  const { version, bytes, attached } = await arrived(plan, options);
  const move = await to.registry
    .setAlias(plan.model, alias, version.number, { signal, ...reason })
    .catch((error: unknown) => {
      throw notMoved(error, version, options);
    });
  const noted = await noteAtSource(plan.source, version, options);
  const now = await to.registry.version(referenceOf(version), { signal });
  return { ...plan, version: now, attached, move, noted, ...(bytes === undefined ? {} : { bytes }) };
}

async function arrived(
  { source, model, there }: PromotionPlan,
  options: PromoteOptions,
): Promise<Pick<Promotion, 'version' | 'bytes' | 'attached'>> {
  const { from, to, reason, signal, onProgress } = options;
  const said = reason === undefined ? {} : { reason };
  const history = await readHistory(from, model, { signal });
  const attach = () => bringAttachments({ source, history }, { from, to, signal, ...said });
  if (there !== undefined) {
    const selector = { kind: 'version', number: there } as const;
    return { version: await to.registry.version({ name: model, selector }, { signal }), attached: await attach() };
  }
  const brought = await bringVersion({ source, history }, { from, to, signal, onProgress, ...said });
  return { version: brought.version, bytes: brought.bytes, attached: await attach() };
}

function notMoved(error: unknown, { model, number }: VersionRecord, { alias, to }: PromoteOptions): unknown {
  if (!isIngotError(error, 'refused', 'forbidden')) return error;
  return new IngotError(
    error.code,
    `${model}:${number} is in ${to.address} now, but ${alias} may not name it yet: ${error.message}`,
    {
      operation: 'promote',
      ...(error.hint === undefined ? {} : { hint: hintAt(error.hint, to.address) }),
      details: { ...error.details, model, number, alias },
      cause: error,
    },
  );
}

/** The same number is another version in the registry that one works with, so a command says which it is for. */
function hintAt(hint: string, address: string): string {
  return hint.replace(/^ingot (?:(?! {3}).)+/, (command) => `${command} --registry ${address}`);
}

/** The source's own history tells where the version went on, unless one may only read there. */
async function noteAtSource(
  source: VersionRecord,
  { model, number }: VersionRecord,
  { from, to, alias, reason, signal }: PromoteOptions,
): Promise<boolean> {
  const key = `${PROMOTED_TAG}${alias}`;
  const text = `${model}:${number} of ${to.address}`;
  if (source.tags?.[key] === text) return true;
  try {
    const tags = { [key]: text };
    await from.registry.update(referenceOf(source), { tags }, { signal, ...(reason === undefined ? {} : { reason }) });
    return true;
  } catch (error) {
    if (isIngotError(error, 'forbidden', 'unauthenticated', 'refused')) return false;
    throw error;
  }
}

function referenceOf({ model, number }: VersionRecord): Reference {
  return { name: model, selector: { kind: 'version', number } };
}
