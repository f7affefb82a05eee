import { inParallel } from './content/sweep/in-parallel.ts';
import { type IngotError, isIngotError } from './errors.ts';
import type { TwoEnds } from './promote-bring.ts';
import { MIRRORED_TAG, type ModelPlan } from './mirror-registry-plan.ts';
import { factsOf } from './promote-version.ts';
import type { ModelName, Reference } from './ref.ts';
import type { VersionChanges, VersionRecord } from './registry/registry.ts';

/** Both ends, and who stops it. */
export interface FollowOptions extends TwoEnds {
  readonly signal?: AbortSignal | undefined;
}

/** What became of an alias. */
export interface AliasOutcome {
  readonly model: ModelName;
  readonly alias: string;
  readonly from: number | null;
  readonly to: number;
  /** Why it did not move. */
  readonly error?: IngotError;
}

const VERSIONS_AT_ONCE = 8;
const REASON = 'mirrored';

/**
 * Says of versions that were there what the other registry says of them now: descriptions, cards, tags, metrics, and that
 * they are retired. What only this registry says stays.
 * @returns how many were changed.
 */
export async function followEdits({ name, there }: ModelPlan, { from, to, signal }: FollowOptions): Promise<number> {
  let edited = 0;
  await inParallel(there, VERSIONS_AT_ONCE, async ({ number }) => {
    const reference: Reference = { name, selector: { kind: 'version', number } };
    const [theirs, ours] = [
      await from.registry.version(reference, { signal }),
      await to.registry.version(reference, { signal }),
    ];
    if (theirs.status === 'deleted' || ours.status === 'deleted') return;
    const changes = changesOf(theirs, ours);
    const retires = theirs.status === 'retired' && ours.status === 'active';
    if (Object.keys(changes).length > 0) await to.registry.update(reference, changes, { signal, reason: REASON });
    if (retires) await to.registry.retire(reference, { signal, reason: REASON });
    if (retires || Object.keys(changes).length > 0) edited += 1;
  });
  return edited;
}

function changesOf(theirs: VersionRecord, ours: VersionRecord): VersionChanges {
  const { description, card, metrics = {} } = theirs;
  const tags = differing(factsOf(theirs).tags ?? {}, ours.tags ?? {});
  const values = differing(metrics, ours.metrics ?? {});
  return {
    ...(description === undefined || description === ours.description ? {} : { description }),
    ...(card === undefined || card === ours.card ? {} : { card }),
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
    ...(Object.keys(values).length === 0 ? {} : { metrics: values }),
  };
}

function differing<T>(theirs: Readonly<Record<string, T>>, ours: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(theirs).filter(([key, value]) => ours[key] !== value));
}

/** Moves the aliases that name something else there; those that may not move are told. */
export async function followAliases(
  { name, source, here, add, there }: ModelPlan,
  { to, signal }: FollowOptions,
): Promise<readonly AliasOutcome[]> {
  const arrived = new Set([...add, ...there].map(({ number }) => number));
  const outcomes: AliasOutcome[] = [];
  for (const [alias, number] of Object.entries(source.aliases)) {
    const now = here?.aliases[alias] ?? null;
    if (now === number || !arrived.has(number)) continue;
    try {
      const move = await to.registry.setAlias(name, alias, number, { signal, reason: REASON });
      outcomes.push({ model: name, alias, from: move.from, to: number });
    } catch (error) {
      // The version stands; who may move the alias does it.
      if (!isIngotError(error, 'forbidden', 'refused')) throw error;
      outcomes.push({ model: name, alias, from: now, to: number, error });
    }
  }
  return outcomes;
}

/**
 * Says of the model what the other registry says of it.
 * @param stamp how far it was mirrored, so that the next run passes it over; undefined: not all of it was.
 */
export async function followModel(
  { name, source, here }: ModelPlan,
  stamp: string | undefined,
  { to, signal }: FollowOptions,
): Promise<void> {
  const { [MIRRORED_TAG]: _, ...theirs } = source.tags;
  const wanted = { ...theirs, ...(stamp === undefined ? {} : { [MIRRORED_TAG]: stamp }) };
  const tags = differing(wanted, here?.tags ?? {});
  const { description } = source;
  const says = description !== undefined && description !== here?.description;
  if (!says && Object.keys(tags).length === 0) return;
  await to.registry.updateModel(
    name,
    { ...(says && { description }), ...(Object.keys(tags).length === 0 ? {} : { tags }) },
    { signal, reason: REASON },
  );
}
