import { IngotError } from '@ingot/core/errors';
import type { Reference } from '@ingot/core/ref';
import { formatReference } from '@ingot/core/ref';
import { compact } from '@ingot/core/registry/fields';
import type { ResolvedVersion } from '@ingot/core/registry/registry';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { HotModel } from './hot-models.ts';
import type { StoredRecord } from './version-rows.ts';

type Index = Kysely<IndexTables>;

/**
 * Says what a reference to a model meant at some time: after the last event of its log that is not later. Versions that
 * are deleted by now are told all the same; their contents may be gone.
 * @throws IngotError `version-not-found`, `alias-not-found`.
 */
export async function resolveAsOf(
  index: Index,
  model: HotModel,
  reference: Reference,
  at: Date,
): Promise<ResolvedVersion> {
  const seq = await lastEvent(index, model.id, at);
  const row = await selectedAt(index, model.id, reference, seq);
  if (row === undefined) throw notFoundThen(reference, at);
  const { number, label, manifest, recipe }: StoredRecord = JSON.parse(row.record);
  return compact({ reference, model: model.name, modelId: model.id, number, label, manifest, recipe, seq });
}

async function lastEvent(index: Index, id: string, at: Date): Promise<number> {
  const row = await index
    .selectFrom('events')
    .select('seq')
    .where('log', '=', id)
    .where('at', '<=', at.toISOString())
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.seq ?? 0;
}

async function selectedAt(index: Index, id: string, { selector }: Reference, seq: number) {
  const versions = index
    .selectFrom('versions')
    .select('record')
    .where('model_id', '=', id)
    .where('seq', '<=', seq)
    .where((where) => where.or([where('deleted_seq', 'is', null), where('deleted_seq', '>', seq)]))
    .orderBy('number', 'desc')
    .limit(1);
  const active = versions.where((where) =>
    where.or([where('retired_seq', 'is', null), where('retired_seq', '>', seq)]),
  );
  if (selector.kind === 'latest') return active.executeTakeFirst();
  if (selector.kind === 'version') return versions.where('number', '=', selector.number).executeTakeFirst();
  if (selector.kind === 'label')
    return versions.where('label', '=', selector.label).where('label_shadowed', '=', 0).executeTakeFirst();
  if (selector.kind === 'digest') {
    const had = (from: typeof versions) => from.where('manifest', '=', selector.digest).executeTakeFirst();
    return (await had(active)) ?? had(versions);
  }
  const move = await index
    .selectFrom('alias_moves')
    .select('to_number')
    .where('model_id', '=', id)
    .where('alias', '=', selector.alias)
    .where('seq', '<=', seq)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  const number = move?.to_number ?? undefined;
  return number === undefined ? undefined : versions.where('number', '=', number).executeTakeFirst();
}

function notFoundThen(reference: Reference, at: Date): IngotError {
  const code = reference.selector.kind === 'alias' ? 'alias-not-found' : 'version-not-found';
  return new IngotError(code, `${formatReference(reference)} meant nothing at ${at.toISOString()}`, {
    hint: `ingot history ${reference.name}`,
    details: { model: reference.name, at: at.toISOString() },
  });
}
