import { alikeNames } from '@ingot/core/registry/alike-names';
import { IngotError } from '@ingot/core/errors';
import type { ModelState, VersionEntry } from '@ingot/core/registry/model-fold';
import { aliasNotFound, selectVersion } from '@ingot/core/registry/select';
import { nearest } from '@ingot/core/nearest';
import type { ModelName, Selector } from '@ingot/core/ref';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { HotModel } from './hot-models.ts';
import type { StoredRecord } from './version-rows.ts';

type Index = Kysely<IndexTables>;

const NAMES_COMPARED = 2000;
const VERSIONS_COMPARED = 200;

/** Says that there is no such model, with the nearest name. */
export async function modelNotFound(index: Index, name: ModelName): Promise<IngotError> {
  const rows = await index
    .selectFrom('models')
    .select('name')
    .where('closed', '=', 0)
    .where('name', 'is not', null)
    .orderBy('updated_at', 'desc')
    .limit(NAMES_COMPARED)
    .execute();
  const others = rows.flatMap(({ name: other }) => (other === null || other === name ? [] : [other]));
  const close = nearest(name, others);
  const alike = alikeNames(name, others);
  return new IngotError('model-not-found', `there is no model "${name}"`, {
    hint: 'ingot ls',
    ...(close === undefined ? {} : { nearest: close }),
    details: { model: name, ...(alike.length > 0 && { alike }) },
  });
}

/**
 * Says that a model has no such version, as a registry over logs does: the newest versions are compared.
 * @throws IngotError `version-not-found`, `alias-not-found`.
 */
export async function versionNotFound(index: Index, model: HotModel, selector: Selector): Promise<never> {
  const state = await stateFor(index, model, selector);
  selectVersion(model.name, state, selector);
  throw new IngotError('unavailable', `"${model.name}" is being changed`, { retryable: true });
}

/** Says that a model has no such alias. */
export async function aliasMissing(index: Index, model: HotModel, alias: string): Promise<never> {
  return aliasNotFound(model.name, await stateFor(index, model, { kind: 'alias', alias }), alias);
}

async function stateFor(index: Index, { id, aliases }: HotModel, selector: Selector): Promise<ModelState> {
  const number = selector.kind === 'version' ? selector.number : 0;
  const rows = await index
    .selectFrom('versions')
    .select(['number', 'record', 'seq'])
    .where('model_id', '=', id)
    .where((where) => where.or([where('status', '<>', 'deleted'), where('number', '=', number)]))
    .orderBy('number', 'desc')
    .limit(VERSIONS_COMPARED)
    .execute();
  const asked = await index
    .selectFrom('versions')
    .select(['number', 'record', 'seq'])
    .where('model_id', '=', id)
    .where('number', '=', number)
    .execute();
  const versions: (VersionEntry | null)[] = [];
  for (const row of [...rows, ...asked]) versions[row.number - 1] = entryOf(JSON.parse(row.record), row.seq);
  return {
    versions,
    aliases: [...aliases].map(([alias, named]) => ({ alias, number: named, past: [] })),
    tags: {},
    expiredUploads: [],
    holds: [],
    closed: false,
  };
}

function entryOf(record: StoredRecord, seq: number): VersionEntry {
  return { ...record, seq, updates: [] };
}
