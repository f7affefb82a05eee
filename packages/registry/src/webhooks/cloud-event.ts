import type { JsonObject } from '@ingot/core/json';
import type { FeedEvent } from '../events/feed.ts';

/** Types of events by the kind that stands in a log; each is sent as `dev.ingot.<type>`. */
const TYPES: Readonly<Record<string, string>> = {
  'model-created': 'model.created',
  'model-renamed': 'model.renamed',
  'model-deleted': 'model.deleted',
  'model-updated': 'model.updated',
  'version-published': 'version.published',
  'version-updated': 'version.updated',
  'version-retired': 'version.retired',
  'version-deleted': 'version.deleted',
  'alias-set': 'alias.moved',
  'alias-removed': 'alias.removed',
  'stage-set': 'stage.moved',
  'approval-given': 'approval.given',
  'approval-withdrawn': 'approval.withdrawn',
  'hold-set': 'hold.set',
  'hold-released': 'hold.released',
};

/** Every type that a webhook can be told of. */
export const EVENT_TYPES: readonly string[] = [
  ...Object.values(TYPES),
  'deployment.started',
  'deployment.ended',
  'ping',
];

const PREFIX = 'dev.ingot.';

/** What is announced: an event of a log, or what another room tells. */
export interface Announcement {
  /** Of {@link EVENT_TYPES}. */
  readonly type: string;
  /** Names the event once for ever. */
  readonly id: string;
  /** The model's name, where it has one. */
  readonly model: string | null;
  /** `models/churn/versions/7`. */
  readonly subject: string;
  /** ISO 8601. */
  readonly at: string;
  readonly data: JsonObject;
}

/** A CloudEvents 1.0 event in structured JSON. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: JsonObject;
}

/** Makes the announcement of an event of a log; undefined for kinds that nobody is told of. */
export function announcementOf(event: FeedEvent): Announcement | undefined {
  const type = Object.hasOwn(TYPES, event.kind) ? TYPES[event.kind] : undefined;
  if (type === undefined) return undefined;
  const { model, modelId, seq, log, at, actor, summary, reason, body } = event;
  const { recipe: _, ...said } = body;
  return {
    type,
    id: `${log}:${seq}`,
    model,
    subject: subjectOf(model ?? modelId, body),
    at,
    data: { model, modelId, seq, actor, summary, ...(reason !== undefined && { reason }), ...said },
  };
}

function subjectOf(model: string, { number }: JsonObject): string {
  return typeof number === 'number' ? `models/${model}/versions/${number}` : `models/${model}`;
}

/** Writes an announcement as a CloudEvent. */
export function cloudEventOf({ type, id, subject, at, data }: Announcement): CloudEvent {
  return {
    specversion: '1.0',
    id,
    source: '/ingot/registry',
    type: `${PREFIX}${type}`,
    subject,
    time: at,
    datacontenttype: 'application/json',
    data,
  };
}

/** Whether a webhook that asks for some types (`alias.*`, `*`) is told of one. A test is told to everybody. */
export function asksFor(patterns: readonly string[], type: string): boolean {
  if (type === 'ping') return true;
  return patterns.some(
    (pattern) =>
      pattern === '*' || pattern === type || (pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1))),
  );
}

/** Whether a pattern asks for anything that there is. */
export function isEventPattern(pattern: string): boolean {
  return EVENT_TYPES.some((type) => type !== 'ping' && asksFor([pattern], type)) || pattern === 'ping';
}
