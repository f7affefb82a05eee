/**
 * An *evidence file* tells everything about a model in a period: its events as they lie in the store, the signed
 * checkpoints that cover them, what happened at the server's door, its versions and who answered with them. It is signed,
 * and can be checked on any machine without the server or the store.
 */

import type { BlobStore } from '@ingot/core/blob/blob-store';
import { readIfPresent } from '@ingot/core/blob/bytes';
import { type Digest, digestOf } from '@ingot/core/digest';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue, parseJson } from '@ingot/core/json';
import type { ModelName } from '@ingot/core/ref';
import { LogFiles } from '@ingot/core/registry/log-files';
import { parseEvent, type StoredEvent } from '@ingot/core/registry/events';
import { historyEntry } from '@ingot/core/registry/history-summary';
import type { HistoryEntry } from '@ingot/core/registry/registry';
import type { Database } from '../database/database.ts';
import type { Audit } from './audit.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { isSignedBy, keyIdOf } from './signatures.ts';
import { checkStatements, type Finding, signedHeads, type Verified } from './verify-store.ts';

/** What evidence is collected from. */
export interface EvidenceSources {
  readonly blobs: BlobStore;
  readonly database: Database;
  readonly audit: Audit;
  /** Id of the store. */
  readonly store: string;
  readonly now: () => Date;
}

/** From one moment to another, ISO 8601 in UTC; the second is not in it. */
export interface Period {
  readonly from: string;
  readonly to: string;
}

const FORMAT = 'ingot-evidence';
const READ_AT_ONCE = 32;
/** Kinds of access events that say who might have done something. */
const ABOUT_ACCESS = [
  'account-added',
  'account-removed',
  'granted',
  'revoked',
  'token-created',
  'token-revoked',
] as const;

/**
 * Collects the evidence of a model and a period.
 * @throws IngotError `model-not-found`.
 */
export async function collectEvidence(
  sources: EvidenceSources,
  model: ModelName,
  period: Period,
  by: string,
): Promise<JsonObject> {
  const { database, audit, store, now } = sources;
  const row = await database.index
    .selectFrom('models')
    .select(['id', 'name'])
    .where('name', '=', model)
    .executeTakeFirst();
  if (row === undefined)
    throw new IngotError('model-not-found', `there is no model "${model}"`, { details: { model } });
  const log = `models/${row.id}`;
  await audit.accessLog.flush();
  await audit.notary.checkpoint();
  const { documents, events } = await logDocuments(sources.blobs, log, period);
  const proved = await audit.written.authenticated(log, 1, events.length);
  const claimed = events.filter(({ head, digest }) => isIn(period, head.at) && !proved.has(digest));
  const checkpoints = (await audit.notary.checkpoints(1, 1_000_000)).filter((kept) =>
    Object.hasOwn(parseCheckpoint(kept.payload).logs, log),
  );
  const evidence: JsonObject = {
    format: FORMAT,
    version: 1,
    store,
    model: { name: model, id: row.id },
    period: { ...period },
    madeAt: now().toISOString(),
    madeBy: by,
    log: { place: log, documents },
    claimed: claimed.map(({ head }) => head.seq),
    checkpoints: checkpoints.map(({ payload, signature, key }) => ({ payload, signature, key })),
    access: await accessEvents(database, model, period),
    versions: await versionRecords(database, row.id),
    answered: await answers(database, row.id, period),
  };
  const { signature, key } = await audit.notary.sign(canonicalJson(evidence));
  return { evidence, signature: { key, signature }, keys: await audit.notary.publicKeys() };
}

/** Events as they lie in the store; of those outside of the period only the chained part. */
async function logDocuments(blobs: BlobStore, log: string, period: Period) {
  const files = new LogFiles(blobs, log);
  const documents: JsonObject[] = [];
  const events: StoredEvent[] = [];
  for (let from = 1; ; from += READ_AT_ONCE) {
    const numbers = Array.from({ length: READ_AT_ONCE }, (_, n) => from + n);
    const found = await Promise.all(numbers.map((seq) => readIfPresent(blobs, files.key(seq), {})));
    for (const [n, bytes] of found.entries()) {
      if (bytes === undefined) return { documents, events };
      const event = parseEvent(bytes, files.key(from + n), from + n);
      events.push(event);
      const document: JsonValue = JSON.parse(Buffer.from(bytes).toString('utf8'));
      const { head = null } = isJsonObject(document) ? document : {};
      documents.push(isJsonObject(document) && isIn(period, event.head.at) ? document : { head });
    }
  }
}

function isIn({ from, to }: Period, at: string): boolean {
  return at >= from && at < to;
}

async function accessEvents({ own }: Database, model: string, { from, to }: Period): Promise<JsonObject[]> {
  const rows = await own
    .selectFrom('access_events')
    .select(['event', 'digest'])
    .where('at', '>=', from)
    .where('at', '<', to)
    .where((where) => where.or([where('model', '=', model), where('kind', 'in', [...ABOUT_ACCESS])]))
    .orderBy('at')
    .limit(100_000)
    .execute();
  return rows.map(({ event, digest }) => ({ event, digest }));
}

/** Which model servers answered with which versions in the period, and from when to when. */
async function answers({ own }: Database, id: string, { from, to }: Period): Promise<JsonObject[]> {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  const rows = await own
    .selectFrom('deployments')
    .innerJoin('deployment_servers', 'deployment_servers.id', 'deployments.server_id')
    .select([
      'deployments.number',
      'deployments.manifest',
      'from_at',
      'until_at',
      'host',
      'address',
      'release',
      'reported_by',
    ])
    .where('model_id', '=', id)
    .where('from_at', '<', end)
    .where((where) => where.or([where('until_at', 'is', null), where('until_at', '>=', start)]))
    .orderBy('from_at')
    .limit(100_000)
    .execute();
  const moment = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  return rows.map(({ from_at, until_at, reported_by, ...row }) => ({
    ...row,
    from: moment(from_at),
    until: moment(until_at),
    reportedBy: reported_by,
  }));
}

async function versionRecords({ index }: Database, id: string): Promise<JsonValue[]> {
  const rows = await index
    .selectFrom('versions')
    .select('record')
    .where('model_id', '=', id)
    .orderBy('number')
    .execute();
  return rows.map(({ record }) => {
    const parsed: JsonValue = JSON.parse(record);
    return parsed;
  });
}

/** What an evidence file says of itself, and what is wrong with it. */
export interface VerifiedEvidence extends Verified {
  readonly model: string;
  readonly period: Period;
  readonly madeAt: string;
  /** Name of the key that signed it: to be compared with the one that the server published. */
  readonly key: string;
  /** Numbers of events whose actors nobody authenticated. */
  readonly claimed: readonly number[];
  /** The events of the period, for people, as far as the chain is whole. */
  readonly told: readonly HistoryEntry[];
}

/**
 * Checks an evidence file.
 * @param key the public key that must have signed it, in PEM or by its name. Default: the one in the file, which only
 * proves that the file is whole.
 * @throws IngotError `integrity` for what is no evidence file.
 */
export function verifyEvidence(text: string, { key }: { readonly key?: string } = {}): VerifiedEvidence {
  const { evidence, signature, keys } = parseFile(text);
  const findings: Finding[] = [];
  const signedBy = keys[signature.key];
  if (signedBy === undefined || !isSignedBy({ ...signature, payload: canonicalJson(evidence) }, signedBy))
    findings.push({ where: 'file', what: 'its signature does not hold: it was changed' });
  const wanted = key === undefined || key.startsWith('ed25519:') ? key : keyIdOf(key);
  if (wanted !== undefined && wanted !== signature.key)
    findings.push({ where: 'file', what: `it is signed by ${signature.key}, not ${wanted}` });
  const { log, checkpoints, access, model, period, madeAt, claimed, store } = evidence;
  const place = textOf(objectOf(log), 'place');
  const signed = listOf(checkpoints).map(objectOf).map(signedOf);
  const statements = checkStatements({ keys, checkpoints: signed }, findings, { areSome: true });
  if (statements.some((statement) => statement.store !== store))
    findings.push({ where: 'checkpoints', what: 'they are of another store' });
  const documents = listOf(objectOf(log).documents).map(objectOf);
  const events = checkChain(place, documents, signedHeads(statements).get(place) ?? new Map(), findings);
  const isClaimed = new Set(listOf(claimed));
  for (const item of listOf(access).map(objectOf))
    if (digestOf(textOf(item, 'event')) !== item.digest)
      findings.push({ where: 'access', what: 'an access event is not the one that was recorded' });
  return {
    model: textOf(objectOf(model), 'name'),
    period: { from: textOf(objectOf(period), 'from'), to: textOf(objectOf(period), 'to') },
    madeAt: typeof madeAt === 'string' ? madeAt : '',
    key: signature.key,
    claimed: listOf(claimed).filter((seq): seq is number => typeof seq === 'number'),
    logs: 1,
    events: documents.length,
    checkpoints: statements.length,
    findings,
    // Of events outside of the period the file has the chained part alone.
    told: events
      .filter(({ body }) => body !== undefined)
      .map((event) => ({ ...historyEntry(event), ...(isClaimed.has(event.head.seq) && { claimed: true }) })),
  };
}

/** Gives the events up to the first that is wrong. */
function checkChain(
  place: string,
  documents: readonly JsonObject[],
  signed: ReadonlyMap<number, string>,
  findings: Finding[],
): readonly StoredEvent[] {
  const events: StoredEvent[] = [];
  let previous: Digest | null = null;
  for (const [at, document] of documents.entries()) {
    const seq = at + 1;
    const where = `${place} event ${seq}`;
    try {
      const event = parseEvent(Buffer.from(JSON.stringify(document)), where, seq);
      if (event.head.previous !== previous) findings.push({ where, what: 'does not follow from the event before it' });
      const expected = signed.get(seq);
      if (expected !== undefined && expected !== event.digest)
        findings.push({ where, what: 'is not the one that was signed' });
      previous = event.digest;
      events.push(event);
    } catch (error) {
      if (!isIngotError(error)) throw error;
      findings.push({ where, what: error.message });
      return events;
    }
  }
  for (const seq of signed.keys())
    if (seq > documents.length) findings.push({ where: place, what: `event ${seq}, which was signed, is missing` });
  return events;
}

function parseFile(text: string) {
  const file = objectOf(parseJson(text) ?? null);
  const evidence = objectOf(file.evidence);
  if (evidence.format !== FORMAT || evidence.version !== 1) throw noEvidence();
  const { key, signature } = signedOf({ payload: '', ...objectOf(file.signature) });
  const keys = Object.entries(objectOf(file.keys)).map(
    ([id, pem]) => [id, typeof pem === 'string' ? pem : ''] as const,
  );
  return { evidence, signature: { key, signature }, keys: Object.fromEntries(keys) };
}

function signedOf(item: JsonObject) {
  return { payload: textOf(item, 'payload'), signature: textOf(item, 'signature'), key: textOf(item, 'key') };
}

function objectOf(value: JsonValue | undefined): JsonObject {
  if (value !== undefined && isJsonObject(value)) return value;
  throw noEvidence();
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  if (Array.isArray(value)) return value;
  throw noEvidence();
}

function textOf(object: JsonObject, key: string): string {
  const value = object[key];
  if (typeof value === 'string') return value;
  throw noEvidence();
}

function noEvidence(): IngotError {
  return new IngotError('integrity', 'that is no evidence file', { hint: 'ingot audit export NAME -o FILE' });
}
