import type { JsonObject, JsonValue } from '../json.ts';
import { isJsonObject } from '../json.ts';
import type { EventHead, StoredEvent } from './events.ts';
import type { HistoryEntry } from './registry.ts';

/** What is told of an event. */
export interface ToldEvent extends Pick<StoredEvent, 'digest' | 'body'> {
  readonly head: Pick<EventHead, 'seq' | 'at' | 'actor' | 'kind'>;
}

/** Tells an event to people. */
export function historyEntry({ head, digest, body }: ToldEvent): HistoryEntry {
  const reason = body?.reason ?? body?.message;
  return {
    seq: head.seq,
    digest,
    at: head.at,
    actor: head.actor,
    kind: head.kind,
    summary: body === undefined ? `${head.kind} (erased)` : summaryOf(head.kind, body),
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
    body: body ?? {},
  };
}

type Summary = (body: JsonObject) => string;

const SUMMARIES: Readonly<Record<string, Summary>> = {
  'version-published': (body) =>
    `version ${say(body.number)} published${typeof body.label === 'string' ? ` as ${body.label}` : ''}${originOf(body)}`,
  'version-updated': (body) => `version ${say(body.number)}: ${changesOf(body)}`,
  'version-retired': (body) => `version ${say(body.number)} retired`,
  'version-deleted': (body) => `version ${say(body.number)} deleted`,
  'alias-set': (body) =>
    typeof body.from === 'number'
      ? `${say(body.alias)} moved from ${body.from} to ${say(body.number)}`
      : `${say(body.alias)} set to ${say(body.number)}`,
  'alias-removed': (body) => `${say(body.alias)} removed (it named ${say(body.from)})`,
  'model-updated': (body) => `model: ${changesOf(body)}`,
  closed: () => 'model deleted',
  'upload-expired': (body) => `abandoned upload ${say(body.upload)} dropped`,
  attached: (body) =>
    body.isVersion === true
      ? `${say(body.subject)} was pushed as ${say(body.manifest)}, which is kept`
      : `${what(body)} attached to ${say(body.refers ?? body.subject)}`,
  detached: (body) =>
    body.tag === undefined ? `${say(body.manifest)} detached` : `tag ${say(body.tag)} of ${say(body.manifest)} removed`,
  'stage-set': (body) =>
    `version ${say(body.number)} ${body.stage === null ? 'is in no stage any more' : `moved to stage ${say(body.stage)}`}`,
  'approval-given': (body) => `version ${say(body.number)} approved${purposeOf(body)}`,
  'approval-withdrawn': (body) => `approval of version ${say(body.number)}${purposeOf(body)} withdrawn`,
  'hold-set': (body) =>
    `deletion of ${typeof body.number === 'number' ? `version ${body.number}` : 'the model'} forbidden (hold ${say(body.hold)})`,
  'hold-released': (body) => `hold ${say(body.hold)} released`,
};

function what({ manifest, artifactType }: JsonObject): string {
  return artifactType === undefined ? say(manifest) : `${say(manifest)} (${say(artifactType)})`;
}

/** Tells in one line what an event says. */
export function summaryOf(kind: string, body: JsonObject): string {
  return Object.hasOwn(SUMMARIES, kind) ? (SUMMARIES[kind]?.(body) ?? kind) : kind;
}

function purposeOf({ alias, stage }: JsonObject): string {
  if (typeof alias === 'string') return ` for @${say(alias)}`;
  return typeof stage === 'string' ? ` for stage ${say(stage)}` : '';
}

/** Of an imported version: when it was made, and where its files lay. */
function originOf({ createdAt, lineage, retired }: JsonObject): string {
  const source = isJsonObject(lineage) && isJsonObject(lineage.source) ? lineage.source.address : undefined;
  const origins = isJsonObject(lineage) && Array.isArray(lineage.origins) ? lineage.origins : [];
  const parts = [
    typeof createdAt === 'string' ? `made ${createdAt.slice(0, 10)}` : '',
    typeof source === 'string' ? `from ${source.slice(0, 200)}` : '',
    ...origins.slice(-1).map(registryOf),
    retired === true ? 'retired' : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** The registry that a version came from, and what it was there. */
function registryOf(origin: JsonValue): string {
  if (!isJsonObject(origin)) return '';
  const { registry, model, number, publishedBy } = origin;
  return `from ${say(model)}:${say(number)} of ${say(registry).slice(0, 200)}, published there by ${say(publishedBy)}`;
}

function changesOf(body: JsonObject): string {
  const parts = [
    typeof body.description === 'string' ? 'description changed' : '',
    typeof body.card === 'string' ? 'model card changed' : '',
    typeof body.label === 'string' ? `label ${body.label} given` : '',
    ...pairs('tag', body.tags),
    ...pairs('metric', body.metrics),
  ].filter((part) => part !== '');
  return parts.length > 0 ? parts.join(', ') : 'nothing changed';
}

function pairs(noun: string, value: JsonValue | undefined): string[] {
  if (!isJsonObject(value)) return [];
  return Object.entries(value).map(([key, entry]) =>
    entry === null ? `${noun} ${key} removed` : `${noun} ${key}=${say(entry)}`,
  );
}

function say(value: JsonValue | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 120) : '?';
}
