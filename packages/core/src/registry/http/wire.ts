/** Reads answers of a registry server, each field checked. */

import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import { parseModelName, type Reference } from '../../ref.ts';
import { compact, Fields } from '../fields.ts';
import { parseRecipeRef } from '../model-fold.ts';
import type {
  AliasMove,
  Approval,
  EnsuredModel,
  HistoryEntry,
  ModelSummary,
  PublishResult,
  ResolvedVersion,
  VersionRecord,
  VersionSlim,
} from '../registry.ts';
import { parseResolved } from '../resolved.ts';
import { parsePublished } from '../version-body.ts';

const STATUS = ['active', 'retired', 'deleted'] as const;
const FROM = 'the answer of the server';

/** Reads a version. Throws `integrity`. */
export function readVersion(body: JsonObject): VersionRecord {
  const fields = new Fields(body, FROM);
  const { retired: _, ...published } = parsePublished(body, FROM);
  return compact({
    ...published,
    model: parseModelName(fields.text('model')),
    modelId: fields.text('modelId'),
    status: fields.oneOf('status', STATUS),
    publishedAt: fields.text('publishedAt'),
    publishedBy: fields.text('publishedBy'),
    stage: fields.optionalText('stage'),
    aliases: fields.texts('aliases'),
    card: fields.optionalText('card'),
  });
}

/** Reads what publishing came to. */
export function readPublished(body: JsonObject): PublishResult {
  const fields = new Fields(body, FROM);
  return { version: readVersion(fields.object('version')), existed: fields.boolean('existed') };
}

/** Reads the answer to a reference. */
export function readResolved(body: JsonObject, reference: Reference): ResolvedVersion {
  return parseResolved(new Fields(body, FROM), reference);
}

/** Reads a model without its versions. */
export function readModel(body: JsonObject): ModelSummary {
  const fields = new Fields(body, FROM);
  const latest = fields.optionalObject('latest');
  return compact({
    name: parseModelName(fields.text('name')),
    id: fields.text('id'),
    createdAt: fields.text('createdAt'),
    updatedAt: fields.text('updatedAt'),
    description: fields.optionalText('description'),
    tags: fields.optionalTextMap('tags') ?? {},
    aliases: fields.optionalNumberMap('aliases') ?? {},
    versions: fields.count('versions'),
    latest: latest && readSlim(latest),
  });
}

/** Reads a version as listings show it. */
export function readSlim(body: JsonObject): VersionSlim {
  const fields = new Fields(body, FROM);
  return compact({
    number: fields.positive('number'),
    manifest: fields.digest('manifest'),
    label: fields.optionalText('label'),
    status: fields.oneOf('status', STATUS),
    publishedAt: fields.text('publishedAt'),
    createdAt: fields.optionalText('createdAt'),
    flavor: fields.text('flavor'),
    sizeBytes: fields.count('sizeBytes'),
    metrics: fields.optionalNumberMap('metrics'),
    stage: fields.optionalText('stage'),
  });
}

/** Reads what making sure of a model came to. */
export function readEnsured(body: JsonObject): EnsuredModel {
  const fields = new Fields(body, FROM);
  return { id: fields.text('id'), base: fields.objects('base').map(parseRecipeRef), isNew: fields.boolean('isNew') };
}

/** Reads what became of an alias. */
export function readMove(body: JsonObject): AliasMove {
  const fields = new Fields(body, FROM);
  const number = (key: string): number | null => (fields.raw(key) === null ? null : fields.positive(key));
  return { alias: fields.text('alias'), from: number('from'), to: number('to') };
}

/** Reads one event of a history. */
export function readHistoryEntry(body: JsonObject): HistoryEntry {
  const fields = new Fields(body, FROM);
  return compact({
    seq: fields.positive('seq'),
    digest: fields.digest('digest'),
    at: fields.text('at'),
    actor: fields.text('actor'),
    kind: fields.text('kind'),
    summary: fields.text('summary'),
    reason: fields.optionalText('reason'),
    body: fields.object('body'),
    claimed: fields.optionalBoolean('claimed'),
  });
}

/** Reads a number, or undefined for null. */
export function readNumber(body: JsonObject): number | undefined {
  const fields = new Fields(body, FROM);
  return fields.raw('number') === null ? undefined : fields.positive('number');
}

/** A page of a listing. */
export interface PageRead<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

/** Reads a page of a listing. */
export function readPage<T>(body: JsonObject, read: (item: JsonObject) => T): PageRead<T> {
  const fields = new Fields(body, FROM);
  const item = (value: JsonValue): T => (isJsonObject(value) ? read(value) : fields.fail('items', 'a list of objects'));
  return { items: fields.list('items').map(item), next: fields.optionalText('next') };
}

/** Reads an approval. */
export function readApproval(body: JsonObject): Approval {
  const fields = new Fields(body, FROM);
  const alias = fields.optionalText('alias');
  return {
    model: parseModelName(fields.text('model')),
    modelId: fields.text('modelId'),
    number: fields.positive('number'),
    manifest: fields.digest('manifest'),
    purpose: alias === undefined ? { stage: fields.text('stage') } : { alias },
  };
}
