/**
 * A *checkpoint* is a signed statement of which event was the last of each log that had grown; checkpoints name the one
 * before them. Kept outside of the bucket, they find a history that somebody with all its keys has written anew.
 */

import { type Digest, digestOf, isDigest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { canonicalJson, isJsonObject, type JsonValue, parseJson } from '@ingot/core/json';
import type { SignedText } from './signatures.ts';

/** The last event of a log. */
export interface LogHead {
  readonly seq: number;
  readonly digest: Digest;
}

/** What a checkpoint states. */
export interface Checkpoint {
  /** Id of the store. */
  readonly store: string;
  readonly number: number;
  readonly at: string;
  /** Digest of the payload before; null for the first. */
  readonly previous: Digest | null;
  /** By `names` or `models/<id>`: only logs that have grown. */
  readonly logs: Readonly<Record<string, LogHead>>;
  /** The last access event of the chain of the server that made it. */
  readonly access: { readonly chain: string; readonly seq: number; readonly digest: string } | null;
}

const FORMAT = 'ingot-checkpoint';

/** Writes a checkpoint as the text that is signed. */
export function checkpointText(checkpoint: Checkpoint): string {
  return canonicalJson({ format: FORMAT, version: 1, ...checkpoint });
}

/** Reads a checkpoint. Throws `integrity`. */
export function parseCheckpoint(payload: string): Checkpoint {
  const value = parseJson(payload);
  if (!isJsonObject(value) || value.format !== FORMAT || value.version !== 1) throw noCheckpoint();
  const { store, number, at, previous, logs, access } = value;
  if (typeof store !== 'string' || typeof number !== 'number' || typeof at !== 'string') throw noCheckpoint();
  if (!isJsonObject(logs) || (previous !== null && !isDigestText(previous))) throw noCheckpoint();
  return { store, number, at, previous, logs: headsOf(logs), access: accessOf(access) };
}

function headsOf(logs: { readonly [log: string]: JsonValue }): Record<string, LogHead> {
  return Object.fromEntries(
    Object.entries(logs).map(([log, head]) => {
      if (!isJsonObject(head)) throw noCheckpoint();
      const { seq, digest } = head;
      if (typeof seq !== 'number' || !isDigestText(digest)) throw noCheckpoint();
      return [log, { seq, digest }];
    }),
  );
}

function accessOf(access: JsonValue | undefined): Checkpoint['access'] {
  if (access === null || access === undefined) return null;
  if (!isJsonObject(access)) throw noCheckpoint();
  const { chain, seq, digest } = access;
  if (typeof chain !== 'string' || typeof seq !== 'number' || typeof digest !== 'string') throw noCheckpoint();
  return { chain, seq, digest };
}

function isDigestText(value: JsonValue | undefined): value is Digest {
  return typeof value === 'string' && isDigest(value);
}

function noCheckpoint(): IngotError {
  return new IngotError('integrity', 'that is no checkpoint of this form');
}

/** The digest by which the next checkpoint names one. */
export function checkpointDigest({ payload }: Pick<SignedText, 'payload'>): Digest {
  return digestOf(payload);
}
