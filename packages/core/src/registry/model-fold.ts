import type { RecipeRef } from '../content/content-store.ts';
import type { Digest } from '../digest.ts';
import type { JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import { MODEL_KINDS } from './events.ts';
import { Fields, compact } from './fields.ts';
import type { Fold, SlimEvent, UnknownEvent } from './fold.ts';
import { noteUnknown, pick } from './fold.ts';

/** What the state keeps of a version; the rest is read from its events when somebody asks. */
export interface VersionEntry {
  readonly number: number;
  /** Sequence number of its `version-published`. */
  readonly seq: number;
  /** Sequence numbers of its `version-updated` events. */
  readonly updates: readonly number[];
  readonly status: 'active' | 'retired' | 'deleted';
  readonly manifest: Digest;
  readonly recipe: RecipeRef;
  readonly label?: string;
  readonly labelShadowed?: boolean;
  readonly flavor: string;
  readonly sizeBytes: number;
  readonly publishedAt: string;
  readonly createdAt?: string;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly stage?: string;
}

/** An alias: what it names now, and before. */
export interface AliasEntry {
  readonly alias: string;
  /** Null when it was removed. */
  readonly number: number | null;
  /** Versions it named before, each once, the latest first. */
  readonly past: readonly number[];
}

/** Something that forbids deletion. */
export interface Hold {
  readonly hold: string;
  /** Null: the whole model. */
  readonly number: number | null;
}

/** A model as its log tells it. */
export interface ModelState {
  /** By number, from 1; null where a number was left out, and for a version whose event was erased. */
  readonly versions: readonly (VersionEntry | null)[];
  readonly aliases: readonly AliasEntry[];
  readonly description?: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Description of the version published last. */
  readonly newestDescription?: string;
  readonly expiredUploads: readonly string[];
  readonly holds: readonly Hold[];
  readonly closed: boolean;
  readonly unknown?: UnknownEvent;
}

type Draft = { -readonly [K in keyof ModelState]: ModelState[K] } & { versions: (VersionEntry | null)[] };

const SLIM_KEYS: Readonly<Record<string, readonly string[]>> = {
  'version-published': [
    'number',
    'manifest',
    'recipe',
    'label',
    'labelShadowed',
    'flavor',
    'sizeBytes',
    'metrics',
    'description',
    'createdAt',
    'retired',
  ],
  'version-updated': ['number', 'metrics', 'label'],
  'version-retired': ['number'],
  'version-deleted': ['number'],
  'alias-set': ['alias', 'number'],
  'alias-removed': ['alias'],
  'model-updated': ['description', 'tags'],
  'upload-expired': ['upload'],
  'hold-set': ['hold', 'number'],
  'hold-released': ['hold'],
  'stage-set': ['number', 'stage'],
};

const KNOWN: ReadonlySet<string> = new Set(MODEL_KINDS);
const DESCRIPTION_LENGTH = 200;

/** How many numbers a publication may leave out at most, so that one event cannot make a state of any size. */
export const MAX_LEFT_OUT = 10_000;

/** The fold of a model's log. */
export const modelFold: Fold<ModelState> = {
  version: 2,
  // Version 1 kept nothing of stages, and only the beginning of a model's description.
  readsOlder: (version, events) =>
    version === 1 && events.every(({ kind }) => kind !== 'stage-set' && kind !== 'model-updated'),
  initial: { versions: [], aliases: [], tags: {}, expiredUploads: [], holds: [], closed: false },
  slimBody(kind, body) {
    const slim = pick(body, SLIM_KEYS[kind] ?? []);
    const { description } = slim;
    if (kind === 'model-updated') return slim;
    return typeof description === 'string' ? { ...slim, description: description.slice(0, DESCRIPTION_LENGTH) } : slim;
  },
  apply(state, events, fileOf) {
    const draft: Draft = { ...state, versions: [...state.versions] };
    for (const event of events) applyEvent(draft, event, fileOf(event.seq));
    return draft;
  },
  unknown: (state) => state.unknown,
  toJson: (state) => state,
  parse: parseModelState,
};

function applyEvent(draft: Draft, event: SlimEvent, file: string): void {
  if (!KNOWN.has(event.kind)) {
    draft.unknown = noteUnknown(draft.unknown, event);
    return;
  }
  if (event.kind === 'closed') draft.closed = true;
  if (event.body === undefined) {
    // An erased version keeps its number, so that it is never used again.
    if (event.kind === 'version-published') draft.versions.push(null);
    return;
  }
  if (Object.hasOwn(APPLY, event.kind)) APPLY[event.kind]?.(draft, new Fields(event.body, file), event);
}

type Apply = (draft: Draft, fields: Fields, event: SlimEvent) => void;

/** Kinds that are not here change nothing that the state keeps. */
const APPLY: Readonly<Record<string, Apply>> = {
  'version-published': publish,
  'version-updated': (draft, fields, { seq }) => change(draft, fields, (entry) => updated(entry, seq, fields)),
  'version-retired': (draft, fields) => change(draft, fields, (entry) => ({ ...entry, status: 'retired' })),
  'version-deleted': (draft, fields) => change(draft, fields, (entry) => ({ ...entry, status: 'deleted' })),
  'alias-set': (draft, fields) => moveAlias(draft, fields, existingNumber(draft, fields)),
  'alias-removed': (draft, fields) => moveAlias(draft, fields, null),
  'model-updated': describe,
  'stage-set': (draft, fields) => change(draft, fields, (entry) => staged(entry, fields)),
  'upload-expired': (draft, fields) => {
    draft.expiredUploads = [...draft.expiredUploads, fields.text('upload')];
  },
  'hold-set': (draft, fields) => {
    draft.holds = [...draft.holds, parseHold(fields)];
  },
  'hold-released': (draft, fields) => {
    const hold = fields.text('hold');
    draft.holds = draft.holds.filter((held) => held.hold !== hold);
  },
};

function publish(draft: Draft, fields: Fields, event: SlimEvent): void {
  const next = draft.versions.length + 1;
  const number = fields.positive('number');
  if (number < next || number - next > MAX_LEFT_OUT) fields.fail('number', `${next}, the next version of the model`);
  while (draft.versions.length < number - 1) draft.versions.push(null);
  const described = fields.optionalText('description');
  if (described !== undefined) draft.newestDescription = described;
  draft.versions.push(
    compact({
      number,
      seq: event.seq,
      updates: [],
      status: fields.optionalBoolean('retired') === true ? ('retired' as const) : ('active' as const),
      publishedAt: event.at,
      ...publishedFacts(fields),
    }),
  );
}

function publishedFacts(fields: Fields) {
  return {
    manifest: fields.digest('manifest'),
    recipe: parseRecipeRef(fields.inner('recipe')),
    label: fields.optionalText('label'),
    labelShadowed: fields.optionalBoolean('labelShadowed'),
    flavor: fields.text('flavor'),
    sizeBytes: fields.count('sizeBytes'),
    metrics: fields.optionalNumberMap('metrics'),
    createdAt: fields.optionalText('createdAt'),
  };
}

function updated(entry: VersionEntry, seq: number, fields: Fields): VersionEntry {
  const metrics = fields.optionalNumberMap('metrics');
  const label = fields.optionalText('label');
  return {
    ...entry,
    updates: [...entry.updates, seq],
    ...(metrics ? { metrics: { ...entry.metrics, ...metrics } } : {}),
    ...(label === undefined ? {} : { label, labelShadowed: false }),
  };
}

function staged({ stage: _, ...entry }: VersionEntry, fields: Fields): VersionEntry {
  return fields.raw('stage') === null ? entry : { ...entry, stage: fields.text('stage') };
}

function existingNumber(draft: Draft, fields: Fields): number {
  const number = fields.positive('number');
  return number <= draft.versions.length ? number : fields.fail('number', 'a version of the model');
}

function change(draft: Draft, fields: Fields, next: (entry: VersionEntry) => VersionEntry): void {
  const number = existingNumber(draft, fields);
  const entry = draft.versions[number - 1];
  // A version whose event was erased takes no more changes.
  if (entry) draft.versions[number - 1] = next(entry);
}

function moveAlias(draft: Draft, fields: Fields, number: number | null): void {
  const alias = fields.text('alias');
  const before = draft.aliases.find((entry) => entry.alias === alias);
  const named = before === undefined ? [] : [before.number, ...before.past];
  const past = [...new Set(named)].filter((old): old is number => old !== null && old !== number);
  const others = draft.aliases.filter((entry) => entry.alias !== alias);
  draft.aliases = [...others, { alias, number, past }];
}

function describe(draft: Draft, fields: Fields): void {
  const description = fields.optionalText('description');
  if (description !== undefined) draft.description = description;
  draft.tags = changedTags(draft.tags, fields.optionalTagChanges('tags') ?? {});
}

/** Applies changes to tags; null removes one. */
export function changedTags(
  tags: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const merged = Object.entries({ ...tags, ...changes });
  return Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== null));
}

/** Reads the reference of a recipe. */
export function parseRecipeRef(fields: Fields): RecipeRef {
  return {
    digest: fields.digest('digest'),
    pack: fields.text('pack'),
    offset: fields.count('offset'),
    length: fields.count('length'),
  };
}

function parseHold(fields: Fields): Hold {
  const number = fields.raw('number');
  return {
    hold: fields.text('hold'),
    number: number === undefined || number === null ? null : fields.positive('number'),
  };
}

function parseModelState(json: JsonObject, where: string): ModelState {
  const fields = new Fields(json, where);
  return compact({
    versions: fields.list('versions').map((value) => {
      if (value === null) return null;
      return isJsonObject(value) ? parseEntry(new Fields(value, where)) : fields.fail('versions', 'a list of objects');
    }),
    aliases: fields.objects('aliases').map(parseAliasEntry),
    description: fields.optionalText('description'),
    tags: fields.optionalTextMap('tags') ?? {},
    newestDescription: fields.optionalText('newestDescription'),
    expiredUploads: fields.texts('expiredUploads'),
    holds: fields.objects('holds').map(parseHold),
    closed: fields.boolean('closed'),
    unknown: parseUnknown(fields),
  });
}

function parseEntry(fields: Fields): VersionEntry {
  return compact({
    number: fields.positive('number'),
    seq: fields.positive('seq'),
    updates: fields.counts('updates'),
    status: fields.oneOf('status', ['active', 'retired', 'deleted'] as const),
    publishedAt: fields.text('publishedAt'),
    stage: fields.optionalText('stage'),
    ...publishedFacts(fields),
  });
}

function parseAliasEntry(fields: Fields): AliasEntry {
  const number = fields.raw('number');
  return {
    alias: fields.text('alias'),
    number: number === null ? null : fields.positive('number'),
    past: fields.counts('past'),
  };
}

/** Reads the note of an unknown event that a state carries. */
export function parseUnknown(fields: Fields): UnknownEvent | undefined {
  if (fields.raw('unknown') === undefined) return undefined;
  const inner = fields.inner('unknown');
  return { seq: inner.positive('seq'), kind: inner.text('kind'), ignorable: inner.boolean('ignorable') };
}
