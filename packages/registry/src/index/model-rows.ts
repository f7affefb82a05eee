import { canonicalJson } from '@ingot/core/json';
import type { StoredEvent } from '@ingot/core/registry/events';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { insertRows } from './insert-rows.ts';
import { storable } from './storable.ts';
import { parentRows } from './parent-rows.ts';
import { prepared } from '../database/prepared.ts';
import type { DraftVersion, ModelDraft, Touched } from './project-model.ts';
import {
  dataRows,
  metricRows,
  packageRows,
  paramRows,
  type StoredRecord,
  tagRows,
  versionRow,
} from './version-rows.ts';

type Index = Kysely<IndexTables>;

const modelOf = prepared<ModelDraft['model']>(
  'select closed, updated_at, description, newest_description, last_number, latest, versions from models where id = ?',
);

/** Reads a model's rows as far as events touch them; undefined when the names log, as far as it was projected, does not know it. */
export async function loadDraft(index: Index, id: string, touched: Touched): Promise<ModelDraft | undefined> {
  const [model] = (await modelOf(index, [id])).rows;
  if (model === undefined) return undefined;
  const aliases = touched.aliases
    ? await index.selectFrom('aliases').selectAll().where('model_id', '=', id).execute()
    : [];
  const tags = touched.tags
    ? await index.selectFrom('model_tags').select(['key', 'value']).where('model_id', '=', id).execute()
    : [];
  return {
    id,
    model,
    versions: await loadVersions(index, id, touched.numbers),
    changed: new Set(),
    latestIsUnsure: false,
    aliases: new Map(aliases.map((row) => [row.alias, row])),
    changedAliases: new Set(),
    moves: [],
    tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
    tagsChanged: false,
  };
}

const NUMBERS_AT_ONCE = 500;

async function loadVersions(index: Index, id: string, numbers: readonly number[]): Promise<Map<number, DraftVersion>> {
  const versions = new Map<number, DraftVersion>();
  for (let from = 0; from < numbers.length; from += NUMBERS_AT_ONCE) {
    const rows = await index
      .selectFrom('versions')
      .select(['number', 'seq', 'changed_seq', 'updated_at', 'retired_seq', 'deleted_seq', 'files_known', 'record'])
      .where('model_id', '=', id)
      .where('number', 'in', numbers.slice(from, from + NUMBERS_AT_ONCE))
      .execute();
    for (const row of rows) {
      const record: StoredRecord = JSON.parse(row.record);
      const { seq, changed_seq: changedSeq, updated_at: updatedAt } = row;
      const { retired_seq: retiredSeq, deleted_seq: deletedSeq, files_known: filesKnown } = row;
      const place = { seq, changedSeq, updatedAt, retiredSeq, deletedSeq, filesKnown };
      versions.set(row.number, { record, place, isStored: true });
    }
  }
  return versions;
}

/** Writes what has changed. */
export async function storeDraft(index: Index, draft: ModelDraft): Promise<void> {
  const changed = [...draft.changed].flatMap((number) => draft.versions.get(number) ?? []);
  await addVersions(
    index,
    changed.filter(({ isStored }) => !isStored),
  );
  for (const version of changed) if (version.isStored) await changeVersion(index, version);
  await storeAliases(index, draft);
  if (draft.tagsChanged) await storeTags(index, draft);
  const latest = draft.latestIsUnsure ? await newestActive(index, draft.id) : draft.model.latest;
  const { closed, updated_at, description, newest_description, last_number, versions } = draft.model;
  const values = [closed, updated_at, description, newest_description, last_number, latest, versions];
  await changeModel(index, [...values, draft.id]);
}

const changeModel = prepared(
  'update models set closed = ?, updated_at = ?, description = ?, newest_description = ?, last_number = ?, latest = ?, versions = ? where id = ?',
);

async function addVersions(index: Index, versions: readonly DraftVersion[]): Promise<void> {
  const records = versions.map(({ record }) => record);
  await insertRows(
    index,
    'versions',
    versions.map(({ record, place }) => versionRow(record, place)),
  );
  await insertRows(index, 'version_tags', records.flatMap(tagRows));
  await insertRows(index, 'version_metrics', records.flatMap(metricRows));
  await insertRows(index, 'version_params', records.flatMap(paramRows));
  await insertRows(index, 'version_packages', records.flatMap(packageRows));
  await insertRows(index, 'version_data', records.flatMap(dataRows));
  await insertRows(index, 'version_parents', await parentRows(index, records));
}

async function changeVersion(index: Index, { record, place }: DraftVersion): Promise<void> {
  const { model_id, number, files_known: _, ...row } = versionRow(record, place);
  await index.updateTable('versions').set(row).where('model_id', '=', model_id).where('number', '=', number).execute();
  for (const table of ['version_tags', 'version_metrics'] as const)
    await index.deleteFrom(table).where('model_id', '=', model_id).where('number', '=', number).execute();
  await insertRows(index, 'version_tags', tagRows(record));
  await insertRows(index, 'version_metrics', metricRows(record));
}

async function storeAliases(index: Index, draft: ModelDraft): Promise<void> {
  const changed = [...draft.changedAliases];
  if (changed.length === 0) return;
  await index.deleteFrom('aliases').where('model_id', '=', draft.id).where('alias', 'in', changed).execute();
  await insertRows(
    index,
    'aliases',
    changed.flatMap((alias) => draft.aliases.get(alias) ?? []),
  );
  await insertRows(index, 'alias_moves', draft.moves);
}

async function storeTags(index: Index, { id, tags }: ModelDraft): Promise<void> {
  const rows = Object.entries(tags).map(([key, value]) => ({
    model_id: id,
    key: storable(key),
    value: storable(value),
  }));
  await index.deleteFrom('model_tags').where('model_id', '=', id).execute();
  await insertRows(index, 'model_tags', [...new Map(rows.map((row) => [row.key, row])).values()]);
}

async function newestActive(index: Index, id: string): Promise<number | null> {
  const row = await index
    .selectFrom('versions')
    .select('number')
    .where('model_id', '=', id)
    .where('status', '=', 'active')
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.number ?? null;
}

/** Writes the events themselves. */
export async function storeEvents(index: Index, log: string, events: readonly StoredEvent[]): Promise<void> {
  const rows = events.map(({ head, digest, body }) => {
    const { seq, id, at, actor, kind } = head;
    const reason = body?.reason ?? body?.message;
    return {
      log,
      seq,
      digest,
      id,
      at,
      actor: storable(actor),
      kind: storable(kind),
      reason: typeof reason === 'string' && reason !== '' ? storable(reason) : null,
      // As it is in the log, whoever wrote it.
      body: body === undefined ? null : canonicalJson(body),
    };
  });
  await insertRows(index, 'events', rows);
}
