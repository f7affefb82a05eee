import type { BlobOptions } from '../blob/blob-store.ts';
import type { ModelName } from '../ref.ts';
import type { EventLog } from './event-log.ts';
import { type StoredEvent, tampered } from './events.ts';
import { compact } from './fields.ts';
import type { ModelState, VersionEntry } from './model-fold.ts';
import { changedTags } from './model-fold.ts';
import type { ResolvedVersion, VersionRecord, VersionSlim } from './registry.ts';
import type { Reference } from '../ref.ts';
import { liveAliases } from './select.ts';
import type { PublishedVersion, VersionUpdate } from './version-body.ts';
import { parsePublished, parseUpdate } from './version-body.ts';

/** A model whose log was read up to some event. */
export interface OpenModel {
  readonly name: ModelName;
  readonly id: string;
  readonly createdAt: string;
  readonly log: EventLog<ModelState>;
  /** What was told of its versions last, by number. */
  readonly told: Map<number, ToldVersion>;
  readonly seq: number;
  /** Time of the last event; null before the first. */
  readonly at: string | null;
  readonly state: ModelState;
}

/** Events that one operation has read or written, by number, so that it reads none twice. */
export type KnownEvents = Map<number, StoredEvent>;

/** What the events of a version say together, up to some of its updates. */
export interface ToldVersion {
  readonly said: Omit<PublishedVersion, 'retired'>;
  readonly by: string;
  /** How many of its updates are in it. */
  readonly updates: number;
}

/**
 * Reads all that is said of a version: its publication and what was changed since. One read an event that is neither in
 * `known` nor in what the log's own process has told of it lately.
 */
export async function readRecord(
  model: OpenModel,
  entry: VersionEntry,
  options: BlobOptions,
  known: KnownEvents = new Map(),
): Promise<VersionRecord> {
  const { said, by } = await toldOf(model, entry, options, known);
  return compact({
    ...said,
    label: entry.label,
    labelShadowed: entry.labelShadowed || undefined,
    model: model.name,
    modelId: model.id,
    status: entry.status,
    publishedAt: entry.publishedAt,
    publishedBy: by,
    stage: entry.stage,
    aliases: liveAliases(model.state).flatMap(({ alias, number }) => (number === entry.number ? [alias] : [])),
  });
}

async function toldOf(
  model: OpenModel,
  entry: VersionEntry,
  options: BlobOptions,
  known: KnownEvents,
): Promise<ToldVersion> {
  const before = model.told.get(entry.number);
  const isOlder = before !== undefined && before.updates <= entry.updates.length;
  const seqs = isOlder ? entry.updates.slice(before.updates) : [entry.seq, ...entry.updates];
  const events = await Promise.all(seqs.map(async (seq) => known.get(seq) ?? (await model.log.event(seq, options))));
  for (const event of events) known.set(event.head.seq, event);
  const { said, by } = isOlder ? before : publishedIn(events.shift(), model, entry);
  const updates = events.flatMap(({ body, head }) =>
    body === undefined ? [] : [parseUpdate(body, `event ${head.seq} of "${model.name}"`)],
  );
  const told = { said: updates.reduce(withUpdate, said), by, updates: entry.updates.length };
  keepTold(model.told, entry.number, told);
  return told;
}

const TOLD_KEPT = 32;

function keepTold(all: Map<number, ToldVersion>, number: number, told: ToldVersion): void {
  all.delete(number);
  all.set(number, told);
  const [oldest] = all.keys();
  if (all.size > TOLD_KEPT && oldest !== undefined) all.delete(oldest);
}

function publishedIn(event: StoredEvent | undefined, model: OpenModel, entry: VersionEntry) {
  if (event?.body === undefined) throw tampered(`version ${entry.number} of "${model.name}"`, 'has no published event');
  const { retired: _, ...said } = parsePublished(event.body, `event ${entry.seq} of "${model.name}"`);
  return { said, by: event.head.actor };
}

/** What is said of a version after a change; its label is the fold's. */
export function withUpdate<T extends Pick<VersionRecord, 'card' | 'description' | 'tags' | 'metrics'>>(
  record: T,
  update: VersionUpdate,
): T {
  return {
    ...record,
    ...(update.description === undefined ? {} : { description: update.description }),
    ...(update.card === undefined ? {} : { card: update.card === '' ? undefined : update.card }),
    ...(update.tags ? { tags: changedTags(record.tags ?? {}, update.tags) } : {}),
    ...(update.metrics ? { metrics: { ...record.metrics, ...update.metrics } } : {}),
  };
}

/** What a listing says of a version. */
export function slimVersion(entry: VersionEntry): VersionSlim {
  const { number, manifest, label, status, publishedAt, createdAt, flavor, sizeBytes, metrics, stage } = entry;
  return compact({ number, manifest, label, status, publishedAt, createdAt, flavor, sizeBytes, metrics, stage });
}

/** The answer to a reference. */
export function resolvedAs(model: OpenModel, entry: VersionEntry, reference: Reference): ResolvedVersion {
  return compact({
    reference,
    model: model.name,
    modelId: model.id,
    number: entry.number,
    label: entry.label,
    manifest: entry.manifest,
    recipe: entry.recipe,
    seq: model.seq,
  });
}
