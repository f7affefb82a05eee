/** Checks the history of a store: each log's chain by itself, and all of them against signed checkpoints kept elsewhere. */

import type { BlobStore } from '@ingot/core/blob/blob-store';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { careEvents, holeOf, listLogs } from '@ingot/core/registry/care-logs';
import { type Checkpoint, checkpointDigest, parseCheckpoint } from './checkpoint.ts';
import { isSignedBy, type SignedText } from './signatures.ts';

/** Checkpoints, and the public keys that they name. */
export interface CheckpointFile {
  /** PEM by key id. */
  readonly keys: Readonly<Record<string, string>>;
  /** In order; any run of those that a server made. */
  readonly checkpoints: readonly SignedText[];
}

/** Something that is not as it must be. */
export interface Finding {
  /** `names`, `models/<id>`, `checkpoint <n>`, `access`. */
  readonly where: string;
  readonly what: string;
}

/** What a check came to. */
export interface Verified {
  readonly logs: number;
  readonly events: number;
  /** Checkpoints that count: signed, and in order. */
  readonly checkpoints: number;
  readonly findings: readonly Finding[];
}

/** Options of {@link verifyStore}. */
export interface VerifyOptions {
  readonly signal?: AbortSignal;
  /** Default: chains are checked by themselves only, which does not find one that was written anew as a whole. */
  readonly file?: CheckpointFile;
  /** Id of the store; checkpoints of another one are a finding. Default: it is not compared. */
  readonly store?: string;
}

/** Reads every event of a store and checks it. One request for each event, 32 at a time. */
export async function verifyStore(blobs: BlobStore, options: VerifyOptions = {}): Promise<Verified> {
  const { file, store, ...call } = options;
  const findings: Finding[] = [];
  const statements = file === undefined ? [] : checkStatements(file, findings);
  if (store !== undefined && statements.some((statement) => statement.store !== store))
    findings.push({ where: 'checkpoints', what: `they are of another store than ${store}` });
  const signed = signedHeads(statements);
  const { logs } = await listLogs(blobs, call);
  let events = 0;
  for (const [prefix, listed] of logs) {
    const wanted = new Map(signed.get(prefix) ?? []);
    const hole = await holeOf(blobs, listed, call);
    if (hole !== undefined) findings.push({ where: prefix, what: `${hole} is missing` });
    try {
      for await (const { head, digest } of careEvents(blobs, prefix, 1, listed.length, null, call)) {
        events += 1;
        const expected = wanted.get(head.seq);
        wanted.delete(head.seq);
        if (expected !== undefined && expected !== digest)
          findings.push({
            where: prefix,
            what: `event ${head.seq} is not the one that was signed: the log was written anew`,
          });
      }
    } catch (error) {
      if (!isIngotError(error, 'tampered', 'integrity')) throw error;
      findings.push({ where: prefix, what: error.message });
      continue;
    }
    for (const seq of wanted.keys()) findings.push({ where: prefix, what: `event ${seq}, which was signed, is gone` });
  }
  for (const log of signed.keys())
    if (!logs.has(log)) findings.push({ where: log, what: 'its events were signed, and it is gone' });
  return { logs: logs.size, events, checkpoints: statements.length, findings };
}

/**
 * Gives the checkpoints that count, and says what is wrong with the others: signature, key, order.
 * @param options `areSome`: others were left out on purpose.
 */
export function checkStatements(
  { keys, checkpoints }: CheckpointFile,
  findings: Finding[],
  { areSome = false }: { readonly areSome?: boolean } = {},
): Checkpoint[] {
  const good: Checkpoint[] = [];
  let before: { readonly number: number; readonly digest: string } | undefined;
  for (const [place, signed] of checkpoints.entries()) {
    const where = `checkpoint ${place + 1}`;
    const key = Object.hasOwn(keys, signed.key) ? keys[signed.key] : undefined;
    if (key === undefined || !isSignedBy(signed, key)) {
      findings.push({ where, what: 'its signature does not hold' });
      continue;
    }
    const statement = parseCheckpoint(signed.payload);
    if (before !== undefined && statement.number === before.number + 1 && statement.previous !== before.digest)
      findings.push({ where, what: 'it does not follow from the one before it' });
    if (!areSome && before !== undefined && statement.number > before.number + 1)
      findings.push({ where, what: `checkpoints ${before.number + 1} to ${statement.number - 1} are missing` });
    before = { number: statement.number, digest: checkpointDigest(signed) };
    good.push(statement);
  }
  return good;
}

/** What was signed of each log: digests by number. */
export function signedHeads(statements: readonly Checkpoint[]): Map<string, Map<number, string>> {
  const heads = new Map<string, Map<number, string>>();
  for (const { logs } of statements)
    for (const [log, { seq, digest }] of Object.entries(logs)) {
      const known = heads.get(log) ?? new Map<number, string>();
      heads.set(log, known.set(seq, digest));
    }
  return heads;
}

/** Reads a file of checkpoints as the server hands it out. Throws `integrity`. */
export function parseCheckpointFile(text: string): CheckpointFile {
  const wrong = (): IngotError => new IngotError('integrity', 'that is no file of checkpoints');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new IngotError('integrity', 'that is no file of checkpoints: it is no JSON', { cause });
  }
  if (!isRecord(value) || !isRecord(value.keys) || !Array.isArray(value.checkpoints)) throw wrong();
  const keys = Object.entries(value.keys).map(([id, pem]) => {
    if (typeof pem !== 'string') throw wrong();
    return [id, pem] as const;
  });
  const checkpoints = value.checkpoints.map((item: unknown) => {
    if (!isRecord(item)) throw wrong();
    const { payload, signature, key } = item;
    if (typeof payload !== 'string' || typeof signature !== 'string' || typeof key !== 'string') throw wrong();
    return { payload, signature, key };
  });
  return { keys: Object.fromEntries(keys), checkpoints };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
