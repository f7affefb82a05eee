import { isDigest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import { historyEntry } from '@ingot/core/registry/history-summary';
import { readDocuments } from '@ingot/core/registry/log-documents';
import type { HistoryEntry, ModelSummary, VersionSlim } from '@ingot/core/registry/registry';
import { slimOf, summariesOf } from '../../index/index-reader.ts';
import type { Services } from '../../services.ts';
import { cursorOf, type Page, pageFrom } from './paging.ts';

/** Where a page begins and how long it may be. */
export interface PageWanted<Key> {
  readonly after: Key | undefined;
  readonly limit: number;
}

/** Models that have a version, by name, of those that `mayRead` lets through. */
export async function modelPage(
  { database: { index } }: Services,
  { after, limit }: PageWanted<string>,
  mayRead: (model: ModelName) => boolean,
): Promise<Page<ModelSummary>> {
  const found: ModelSummary[] = [];
  for (let from = after ?? ''; found.length <= limit; ) {
    const rows = await index
      .selectFrom('models')
      .selectAll()
      .where('name', '>', from)
      .where('closed', '=', 0)
      .where('versions', '>', 0)
      .orderBy('name')
      .limit(limit + 1)
      .execute();
    const readable = rows.filter(({ name }) => name !== null && mayRead(parseModelName(name)));
    found.push(...(await summariesOf(index, readable)));
    const last = rows.at(-1)?.name;
    if (rows.length <= limit || last === undefined || last === null) break;
    from = last;
  }
  return pageFrom(found, limit, { kind: 'models', keyOf: ({ name }) => name });
}

/** What is known of a model, without its versions. Throws `model-not-found`. */
export async function modelSummary({ database, index }: Services, name: ModelName) {
  const { id, seq } = await index.placeOf(name);
  const rows = await database.index.selectFrom('models').selectAll().where('id', '=', id).execute();
  const [summary] = await summariesOf(database.index, rows);
  if (summary !== undefined) return { summary, seq };
  throw new IngotError('unavailable', `model "${name}" was renamed or deleted just now`);
}

/** Versions of a model, newest first; deleted ones stand among them. */
export async function versionPage(
  { database, index }: Services,
  name: ModelName,
  { after, limit }: PageWanted<number>,
): Promise<Page<VersionSlim>> {
  const { id } = await index.placeOf(name);
  const versions = database.index.selectFrom('versions').select('record').where('model_id', '=', id);
  const rest = after === undefined ? versions : versions.where('number', '<', after);
  const rows = await rest
    .orderBy('number', 'desc')
    .limit(limit + 1)
    .execute();
  const slim = rows.map(({ record }) => slimOf(JSON.parse(record)));
  return pageFrom(slim, limit, { kind: 'versions', keyOf: ({ number }) => number });
}

/** What happened to a model, oldest first. */
export async function historyPage(
  { database, index, audit }: Services,
  name: ModelName,
  { after = 0, limit }: PageWanted<number>,
): Promise<Page<HistoryEntry>> {
  const { id } = await index.placeOf(name);
  const rows = await database.index
    .selectFrom('events')
    .selectAll()
    .where('log', '=', id)
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit + 1)
    .execute();
  const entries = rows.map(({ seq, at, actor, kind, digest, body }) => {
    if (!isDigest(digest)) throw new IngotError('integrity', `the index has no digest of event ${seq} of ${id}`);
    return historyEntry({
      head: { seq, at, actor, kind },
      digest,
      body: body === null ? undefined : JSON.parse(body),
    });
  });
  const proved = await audit?.written.authenticated(`models/${id}`, after + 1, after + limit + 1);
  const told =
    proved === undefined ? entries : entries.map((entry) => ({ ...entry, claimed: !proved.has(entry.digest) }));
  return pageFrom(told, limit, { kind: 'history', keyOf: ({ seq }) => seq });
}

/** Each event is a blob of its own. */
const MOST_DOCUMENTS = 256;

/** Events of a model as they lie in the store, oldest first, as far as the index has them. */
export async function logPage(
  { store: { blobs }, index }: Services,
  name: ModelName,
  { after = 0, limit }: PageWanted<number>,
): Promise<Page<JsonObject>> {
  const { id, seq } = await index.placeOf(name);
  const to = Math.min(seq, after + Math.min(limit, MOST_DOCUMENTS));
  const items: JsonObject[] = [];
  for await (const document of readDocuments(blobs, `models/${id}`, { from: after + 1, to }, {})) items.push(document);
  return to < seq ? { items, next: cursorOf('log', to) } : { items };
}
