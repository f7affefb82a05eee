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
import type { VersionUpdate } from './version-body.ts';
import { parsePublished, parseUpdate } from './version-body.ts';

/** A model whose log was read up to some event. */
export interface OpenModel {
  readonly name: ModelName;
  readonly id: string;
  readonly createdAt: string;
  readonly log: EventLog<ModelState>;
  readonly seq: number;
  /** Time of the last event; null before the first. */
  readonly at: string | null;
  readonly state: ModelState;
}

/** Events that one operation has read or written, by number, so that it reads none twice. */
export type KnownEvents = Map<number, StoredEvent>;

/** Reads all that is said of a version: its publication and what was changed since. One read an event that is not known. */
export async function readRecord(
  model: OpenModel,
  entry: VersionEntry,
  options: BlobOptions,
  known: KnownEvents = new Map(),
): Promise<VersionRecord> {
  const [event, ...changes] = await Promise.all(
    [entry.seq, ...entry.updates].map(async (seq) => known.get(seq) ?? (await model.log.event(seq, options))),
  );
  for (const read of [event, ...changes]) if (read !== undefined) known.set(read.head.seq, read);
  if (event?.body === undefined) throw tampered(`version ${entry.number} of "${model.name}"`, 'has no published event');
  const file = `event ${entry.seq} of "${model.name}"`;
  const { retired: _, ...published } = parsePublished(event.body, file);
  const updates = changes.flatMap(({ body, head }) =>
    body === undefined ? [] : [parseUpdate(body, `event ${head.seq} of "${model.name}"`)],
  );
  return compact({
    ...updates.reduce(withUpdate, published),
    label: entry.label,
    labelShadowed: entry.labelShadowed || undefined,
    model: model.name,
    modelId: model.id,
    status: entry.status,
    publishedAt: entry.publishedAt,
    publishedBy: event.head.actor,
    stage: entry.stage,
    aliases: liveAliases(model.state).flatMap(({ alias, number }) => (number === entry.number ? [alias] : [])),
  });
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
