/** How the events of a model's log change its rows: pure steps on a *draft*, which holds what the events touch. */

import type { StoredEvent } from '@ingot/core/registry/events';
import { compact, Fields } from '@ingot/core/registry/fields';
import { MAX_LEFT_OUT, changedTags } from '@ingot/core/registry/model-fold';
import { MODEL_KINDS } from '@ingot/core/registry/events';
import { withUpdate } from '@ingot/core/registry/record';
import { refuseUnknown } from '@ingot/core/registry/fold';
import { parsePublished, parseUpdate } from '@ingot/core/registry/version-body';
import { storable } from './storable.ts';
import type { AliasMoveRow, AliasRow, ModelRow } from './tables.ts';
import type { StoredRecord, VersionPlace } from './version-rows.ts';

/** A version that the events touch. */
export interface DraftVersion {
  record: StoredRecord;
  place: VersionPlace;
  /** Whether its row is there already. */
  readonly isStored: boolean;
}

/** A model while its events are projected. */
export interface ModelDraft {
  readonly id: string;
  /** The row's entries that its own log decides. */
  model: Pick<
    ModelRow,
    'closed' | 'updated_at' | 'description' | 'newest_description' | 'last_number' | 'latest' | 'versions'
  >;
  /** Versions that were there and are touched, and new ones. */
  readonly versions: Map<number, DraftVersion>;
  /** Numbers of versions that changed. */
  readonly changed: Set<number>;
  /** Whether `latest` must be looked up again. */
  latestIsUnsure: boolean;
  aliases: Map<string, AliasRow>;
  readonly changedAliases: Set<string>;
  readonly moves: AliasMoveRow[];
  /** The model's tags, when they are touched. */
  tags: Readonly<Record<string, string>>;
  tagsChanged: boolean;
}

/** What must be loaded before the events can be projected. */
export interface Touched {
  readonly numbers: readonly number[];
  readonly aliases: boolean;
  readonly tags: boolean;
}

/** Says what the events touch of what is there already. */
export function touchedBy(events: readonly StoredEvent[]): Touched {
  const published = new Set<number>();
  const numbers = new Set<number>();
  for (const { head, body } of events) {
    const number = body?.number;
    if (typeof number !== 'number') continue;
    if (head.kind === 'version-published') published.add(number);
    else if (Object.hasOwn(CHANGES, head.kind) && !published.has(number)) numbers.add(number);
  }
  return {
    numbers: [...numbers],
    aliases: events.some(({ head }) => head.kind === 'alias-set' || head.kind === 'alias-removed'),
    tags: events.some(({ head }) => head.kind === 'model-updated'),
  };
}

const KNOWN: ReadonlySet<string> = new Set(MODEL_KINDS);

/**
 * Plays events on a draft.
 * @throws IngotError `integrity` for a body that is not what its kind asks for, `refused` for a kind of a newer release.
 */
export function projectModelEvents(draft: ModelDraft, events: readonly StoredEvent[]): void {
  for (const event of events) {
    const { head, body } = event;
    const file = `models/${draft.id}/log/${String(head.seq).padStart(10, '0')}.json`;
    if (!KNOWN.has(head.kind))
      refuseUnknown({ seq: head.seq, kind: head.kind, ignorable: head.ignorable === true }, 'read', () => file);
    draft.model.updated_at = head.at;
    if (head.kind === 'closed') draft.model.closed = 1;
    // An erased publication keeps its number.
    if (body === undefined && head.kind === 'version-published') draft.model.last_number += 1;
    if (body === undefined) continue;
    const fields = new Fields(body, file);
    if (head.kind === 'version-published') publish(draft, event, fields, file);
    else if (head.kind === 'model-updated') describe(draft, fields);
    else if (head.kind === 'alias-set') moveAlias(draft, event, fields, existing(draft, fields));
    else if (head.kind === 'alias-removed') moveAlias(draft, event, fields, null);
    else if (Object.hasOwn(CHANGES, head.kind)) change(draft, event, fields, file);
  }
}

function publish(draft: ModelDraft, { head, body = {} }: StoredEvent, fields: Fields, file: string): void {
  const { retired, ...published } = parsePublished(body, file);
  const { number } = published;
  const next = draft.model.last_number + 1;
  if (number < next || number - next > MAX_LEFT_OUT) fields.fail('number', `${next}, the next version of the model`);
  const record: StoredRecord = compact({
    ...published,
    labelShadowed: published.labelShadowed || undefined,
    modelId: draft.id,
    status: retired ? ('retired' as const) : ('active' as const),
    publishedAt: head.at,
    publishedBy: head.actor,
  });
  const place = { seq: head.seq, changedSeq: head.seq, updatedAt: head.at, deletedSeq: null, filesKnown: 0 };
  draft.versions.set(number, {
    record,
    place: { ...place, retiredSeq: retired ? head.seq : null },
    isStored: false,
  });
  draft.changed.add(number);
  draft.model.last_number = number;
  draft.model.versions += 1;
  if (!retired) draft.model.latest = number;
  if (published.description !== undefined)
    draft.model.newest_description = storable(published.description.slice(0, DESCRIPTION_LENGTH));
}

/** As the listing of a store has it. */
const DESCRIPTION_LENGTH = 200;

function describe(draft: ModelDraft, fields: Fields): void {
  const description = fields.optionalText('description');
  if (description !== undefined) draft.model.description = description === '' ? null : storable(description);
  const changes = fields.optionalTagChanges('tags');
  if (changes === undefined) return;
  draft.tags = changedTags(draft.tags, changes);
  draft.tagsChanged = true;
}

function existing(draft: ModelDraft, fields: Fields): number {
  const number = fields.positive('number');
  return number <= draft.model.last_number ? number : fields.fail('number', 'a version of the model');
}

function moveAlias(draft: ModelDraft, { head, body }: StoredEvent, fields: Fields, number: number | null): void {
  const alias = fields.text('alias');
  const from = draft.aliases.get(alias)?.number ?? null;
  const said = { alias: storable(alias), at: head.at, actor: storable(head.actor), seq: head.seq, model_id: draft.id };
  const reason = typeof body?.reason === 'string' ? storable(body.reason) : null;
  draft.moves.push({ ...said, from_number: from, to_number: number, reason });
  draft.changedAliases.add(alias);
  if (number === null) draft.aliases.delete(alias);
  else draft.aliases.set(alias, { ...said, number });
}

type Change = (version: DraftVersion, event: StoredEvent, fields: Fields, file: string) => Partial<Changed>;

interface Changed {
  readonly record: StoredRecord;
  readonly place: Partial<VersionPlace>;
}

/** Kinds that change one version. */
const CHANGES: Readonly<Record<string, Change>> = {
  'version-updated': ({ record }, { body = {} }, _fields, file) => {
    const update = parseUpdate(body, file);
    const { label } = update;
    const labelled = label === undefined ? record : compact({ ...record, label, labelShadowed: undefined });
    return { record: compact(withUpdate(labelled, update)) };
  },
  'version-retired': ({ record, place }, { head }) => ({
    record: { ...record, status: 'retired' },
    place: { retiredSeq: place.retiredSeq ?? head.seq },
  }),
  'version-deleted': ({ record, place }, { head }) => ({
    record: { ...record, status: 'deleted' },
    place: { deletedSeq: place.deletedSeq ?? head.seq },
  }),
  'stage-set': ({ record: { stage: _, ...record } }, _event, fields) => ({
    record: fields.raw('stage') === null ? record : { ...record, stage: fields.text('stage') },
  }),
};

function change(draft: ModelDraft, event: StoredEvent, fields: Fields, file: string): void {
  const number = existing(draft, fields);
  const version = draft.versions.get(number);
  // A number that was left out, or whose publication was erased, takes no changes.
  if (version === undefined) return;
  const { status } = version.record;
  const { record = version.record, place } = CHANGES[event.head.kind]?.(version, event, fields, file) ?? {};
  const { at: updatedAt, seq: changedSeq } = event.head;
  draft.versions.set(number, { ...version, record, place: { ...version.place, ...place, updatedAt, changedSeq } });
  draft.changed.add(number);
  if (status !== record.status) draft.latestIsUnsure = true;
  if (status !== 'deleted' && record.status === 'deleted') draft.model.versions -= 1;
}
