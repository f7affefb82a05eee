import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { readIfPresent } from '../blob/bytes.ts';
import type { Digest } from '../digest.ts';
import { canonicalJson, isJsonObject, type JsonObject, parseJson } from '../json.ts';
import { parseEvent, type StoredEvent, tampered } from './events.ts';
import { LogFiles } from './log-files.ts';

const READ_AT_ONCE = 32;

/**
 * Streams events of a log as they lie in the store, each checked by itself. One request an event.
 * @param place `models/<id>`, or `names`.
 * @param numbers the first and the last that are read.
 * @throws IngotError `tampered` for one that is not there, or is not what it says.
 */
export async function* readDocuments(
  blobs: BlobStore,
  place: string,
  { from, to }: { readonly from: number; readonly to: number },
  options: BlobOptions,
): AsyncGenerator<JsonObject> {
  const files = new LogFiles(blobs, place);
  for (let at = from; at <= to; at += READ_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(READ_AT_ONCE, to - at + 1) }, (_, n) => at + n);
    const found = await Promise.all(numbers.map((seq) => readIfPresent(blobs, files.key(seq), options)));
    for (const [n, bytes] of found.entries()) {
      if (bytes === undefined) throw tampered(files.key(at + n), 'is not there');
      parseEvent(bytes, files.key(at + n), at + n);
      const document = parseJson(bytes.toString('utf8'));
      if (isJsonObject(document)) yield document;
    }
  }
}

/** Writes the documents of a log as one content: a line each, as its file has it. */
export function encodeLog(documents: readonly JsonObject[]): Buffer {
  return Buffer.from(documents.map((document) => `${canonicalJson(document)}\n`).join(''));
}

/**
 * Reads what {@link encodeLog} has written, from the first event on, and checks the chain.
 * @param what names the log in errors: `the history of "churn"`.
 * @throws IngotError `tampered` naming the first event that is not what the others say.
 */
export function parseLog(bytes: Uint8Array, what: string): readonly StoredEvent[] {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split('\n');
  if (lines.pop() !== '') throw tampered(what, 'ends within an event', HINT);
  let previous: Digest | null = null;
  return lines.map((line, n) => {
    const event = parseEvent(Buffer.from(line), `event ${n + 1} of ${what}`, n + 1);
    if (event.head.previous !== previous)
      throw tampered(`event ${n + 1} of ${what}`, 'does not follow the one before', HINT);
    previous = event.digest;
    return event;
  });
}

const HINT = 'get it again from where it was made';
