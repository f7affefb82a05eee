/**
 * A *log* is an append-only, hash-chained list of *events*, one blob each. An event is a *head* and a *body*: the head
 * names the digest of the head before it and, salted, that of the body; so the chain proves order and content, and a
 * body can still be erased. The digest of an event is that of its head.
 */

import type { Digest } from '../digest.ts';
import { digestOf, isDigest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import { canonicalJson, isJsonObject } from '../json.ts';
import { contradictsSum } from '../sum.ts';
import { Fields } from './fields.ts';

/** Kinds of the names log. */
export const NAME_KINDS = ['model-created', 'model-renamed', 'model-deleted'] as const;

/** Kinds of a model's log. */
export const MODEL_KINDS = [
  'version-published',
  'version-updated',
  'version-retired',
  'version-deleted',
  'alias-set',
  'alias-removed',
  'model-updated',
  'closed',
  'upload-expired',
  'attached',
  'detached',
  'stage-set',
  'approval-given',
  'approval-withdrawn',
  'hold-set',
  'hold-released',
] as const;

/** The chained part of an event. */
export interface EventHead {
  /** Place in the log, from 1. */
  readonly seq: number;
  /** Digest of the head before, null for the first. */
  readonly previous: Digest | null;
  /** 32 hex digits that no other event has: how a writer whose reply was lost knows its own. */
  readonly id: string;
  /** ISO 8601, UTC; never before the event before it. */
  readonly at: string;
  readonly actor: string;
  readonly kind: string;
  readonly bodyDigest: Digest;
  /** Readers that do not know the kind may pass over it. */
  readonly ignorable?: true;
}

/** An event as it was read and checked. */
export interface StoredEvent {
  readonly head: EventHead;
  readonly digest: Digest;
  /** Undefined when it was erased. */
  readonly body: JsonObject | undefined;
}

/** What somebody wants to append: everything that does not depend on the place in the log. */
export interface EventDraft {
  readonly kind: string;
  readonly body: JsonObject;
  readonly ignorable?: true;
}

const HEX32 = /^[0-9a-f]{32}$/;
const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const HEAD_KEYS = new Set(['seq', 'previous', 'id', 'at', 'actor', 'kind', 'bodyDigest', 'ignorable']);

/** Writes an event as the bytes of its blob, with the digest that the next one will name. */
export function encodeEvent(
  head: Omit<EventHead, 'bodyDigest'>,
  salt: string,
  body: JsonObject,
): StoredEvent & { readonly bytes: Uint8Array } {
  const bodyText = canonicalJson(body);
  const full: EventHead = { ...head, bodyDigest: digestOf(salt + bodyText) };
  const headText = canonicalJson(full);
  // The canonical JSON of all of it, put together of its parts: each is written, and sorted, once.
  const entries = `"body":${bodyText},"head":${headText},"salt":${JSON.stringify(salt)}`;
  const bytes = Buffer.from(`{${entries},"sum":"${digestOf(`{${entries}}`)}"}\n`);
  return { head: full, digest: digestOf(headText), body, bytes };
}

/**
 * Reads an event from the bytes of its blob.
 * @throws IngotError `tampered` naming the file when it is not a whole event, is not event `seq`, or its body is not the one the head names.
 */
export function parseEvent(bytes: Uint8Array, file: string, seq: number): StoredEvent {
  const document = parseDocument(bytes, file);
  const raw = document.head;
  // No later event vouches for the last one yet: only its own sum shows that its head was damaged.
  if (contradictsSum(document)) throw tampered(file, 'does not have its sum');
  if (!isJsonObject(raw)) throw tampered(file, 'has no head');
  const head = parseHead(raw, file);
  if (head.seq !== seq) throw tampered(file, `says that it is event ${head.seq}`);
  return { head, digest: digestOf(canonicalJson(raw)), body: parseBody(document, head, file) };
}

/** Says that a file of a log is not what it must be. */
export function tampered(file: string, what: string, hint?: string): IngotError {
  return new IngotError('tampered', `${file} ${what}: the history was changed, or the storage damaged it`, {
    hint: hint ?? 'restore this file from a backup or a mirror of the store',
    details: { file },
  });
}

function parseDocument(bytes: Uint8Array, file: string): JsonObject {
  try {
    const value: JsonValue = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (isJsonObject(value)) return value;
  } catch (error) {
    // Anything but JSON is as wrong as JSON that is no event: both end below.
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw tampered(file, 'is not an event');
}

function parseHead(raw: JsonObject, file: string): EventHead {
  const fields = new Fields(raw, file);
  const unknown = Object.keys(raw).find((key) => !HEAD_KEYS.has(key));
  if (unknown !== undefined) throw tampered(file, `has an unknown entry "${unknown.slice(0, 40)}" in its head`);
  const previous = fields.raw('previous');
  const ignorable = fields.raw('ignorable');
  if (ignorable !== undefined && ignorable !== true) fields.fail('ignorable', 'true');
  return {
    seq: fields.positive('seq'),
    previous:
      previous === null || (typeof previous === 'string' && isDigest(previous)) ? previous : fields.digest('previous'),
    id: fields.matching('id', HEX32, '32 hex digits'),
    at: fields.matching('at', ISO, 'a time'),
    actor: fields.text('actor'),
    kind: fields.text('kind'),
    bodyDigest: fields.digest('bodyDigest'),
    ...(ignorable === true ? { ignorable } : {}),
  };
}

function parseBody(document: JsonObject, head: EventHead, file: string): JsonObject | undefined {
  const { salt, body } = document;
  if (salt === undefined && body === undefined) return undefined;
  if (typeof salt !== 'string' || !HEX32.test(salt) || !isJsonObject(body)) throw tampered(file, 'has no whole body');
  if (bodyDigestOf(salt, body) !== head.bodyDigest) throw tampered(file, 'does not have the body that its head names');
  return body;
}

function bodyDigestOf(salt: string, body: JsonObject): Digest {
  return digestOf(salt + canonicalJson(body));
}
