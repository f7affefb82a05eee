import { isIngotError } from '@ingot/core/errors';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import type { Registry } from '@ingot/core/registry/registry';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { type HeldVersions, holdsOf } from './holds.ts';
import { guardsOf, type PolicyDocument, type Retention, retentionOf } from './policy.ts';

/** A version that retention lets go. */
export interface Releasable {
  readonly model: ModelName;
  readonly number: number;
  readonly publishedAt: string;
  readonly sizeBytes: number;
  /** Which rules let it go, as the history will say. */
  readonly reason: string;
}

/** What applying retention did. */
export interface Retained {
  readonly released: readonly Releasable[];
  /** Versions that could not go, because somebody put an alias or a hold on them meanwhile. */
  readonly kept: readonly (Releasable & { readonly why: string })[];
}

/** What retention looks at. */
export interface RetentionOptions {
  readonly index: Kysely<IndexTables>;
  readonly document: PolicyDocument;
  readonly now: Date;
  /** Default: all models that a policy of retention names. */
  readonly model?: ModelName | undefined;
}

const DAY_MS = 86_400_000;
const MODELS_AT_ONCE = 500;
/** Versions that one answer names at most; the next run takes the rest. */
const MOST = 10_000;

/**
 * Says which versions the policies let go, oldest first; changes nothing. What an alias or a hold names, what is in a
 * protected stage, and what `latest` means, never goes.
 */
export async function planRetention({ index, document, now, model }: RetentionOptions): Promise<Releasable[]> {
  const planned: Releasable[] = [];
  for (let after = ''; planned.length < MOST; ) {
    const rows = await index
      .selectFrom('models')
      .select(['id', 'name', 'latest'])
      .where('name', model === undefined ? '>' : '=', model ?? after)
      .where('closed', '=', 0)
      .orderBy('name')
      .limit(MODELS_AT_ONCE)
      .execute();
    for (const { id, name, latest } of rows) {
      if (name === null) continue;
      const rules = retentionOf(parseModelName(name), document);
      if (rules === undefined) continue;
      planned.push(...(await planModel({ index, document, now }, { id, name: parseModelName(name), latest }, rules)));
    }
    const last = rows.at(-1)?.name;
    if (model !== undefined || rows.length < MODELS_AT_ONCE || typeof last !== 'string') break;
    after = last;
  }
  return planned.slice(0, MOST);
}

interface Looked {
  readonly id: string;
  readonly name: ModelName;
  readonly latest: number | null;
}

async function planModel(
  { index, document, now }: RetentionOptions,
  { id, name, latest }: Looked,
  rules: Retention,
): Promise<Releasable[]> {
  const versions = await index
    .selectFrom('versions')
    .select(['number', 'published_at', 'size_bytes', 'label', 'label_shadowed', 'stage'])
    .where('model_id', '=', id)
    .where('status', '<>', 'deleted')
    .orderBy('number', 'desc')
    .execute();
  const aliases = await index.selectFrom('aliases').select('number').where('model_id', '=', id).execute();
  const named = new Set([latest, ...aliases.map(({ number }) => number)]);
  const held: HeldVersions = await holdsOf(index, id);
  const oldest = now.getTime() - rules.olderThanDays * DAY_MS;
  const reason = reasonOf(rules);
  const isProtected = (stage: string | null): boolean =>
    stage !== null && guardsOf(name, { kind: 'stage', name: stage }, document).length > 0;
  return versions
    .slice(rules.keepLast)
    .filter(
      ({ number, published_at, label, label_shadowed, stage }) =>
        !named.has(number) &&
        !held.isHeld(number) &&
        !isProtected(stage) &&
        !(rules.keepLabelled && label !== null && label_shadowed === 0) &&
        (rules.olderThanDays === 0 || Date.parse(published_at) < oldest),
    )
    .map(({ number, published_at, size_bytes }) => ({
      model: name,
      number,
      publishedAt: published_at,
      sizeBytes: Number(size_bytes),
      reason,
    }))
    .reverse();
}

function reasonOf({ keepLast, keepLabelled, olderThanDays }: Retention): string {
  const parts = [
    ...(keepLast > 0 ? [`not among the newest ${keepLast}`] : []),
    'no alias names it',
    ...(keepLabelled ? ['it has no label'] : []),
    ...(olderThanDays > 0 ? [`older than ${olderThanDays} days`] : []),
  ];
  return `retention: ${parts.join(', ')}`;
}

/** How versions are released. */
export interface ReleaseOptions {
  readonly registry: Pick<Registry, 'deleteVersion'>;
  readonly actor: string;
  /** Ends between two versions. */
  readonly signal?: AbortSignal | undefined;
}

/** What was released so far, which grows while more is. */
export class Releases implements Retained {
  readonly released: Releasable[] = [];
  readonly kept: Retained['kept'][number][] = [];

  /** Releases versions, each unless an alias or a hold names it by now; one that is gone already is left out. */
  async release(planned: readonly Releasable[], { registry, actor, signal }: ReleaseOptions): Promise<void> {
    for (const version of planned) {
      if (signal?.aborted === true) return;
      const { model, number, reason } = version;
      try {
        await registry.deleteVersion({ name: model, selector: { kind: 'version', number } }, { actor, reason });
        this.released.push(version);
      } catch (error) {
        if (isIngotError(error, 'version-not-found', 'model-not-found')) continue;
        if (!isIngotError(error, 'refused', 'conflict')) throw error;
        this.kept.push({ ...version, why: error.message });
      }
    }
  }
}
