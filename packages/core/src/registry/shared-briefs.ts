import { randomBytes } from 'node:crypto';
import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { bodyOf, readIfPresent } from '../blob/bytes.ts';
import type { Digest } from '../digest.ts';
import { digestOf } from '../digest.ts';
import { isIngotError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { isJsonObject, parseJson } from '../json.ts';
import { type ModelBrief, parseBrief } from './brief.ts';
import { Fields } from './fields.ts';

/** A model as it was when somebody listed the store. */
export interface BriefAt {
  readonly seq: number;
  readonly digest: Digest;
  readonly brief: ModelBrief;
}

const PREFIX = 'index/models/';
const FORMAT = 1;

/**
 * Keeps what the last full listing of a store came to in the store itself (`index/models/…`), so that a machine that
 * lists it for the first time asks each model for news instead of reading its events. A cache: anybody may delete it.
 */
export class SharedBriefs {
  readonly #blobs: BlobStore;
  readonly #warn: (message: string) => void;
  #briefs: Promise<ReadonlyMap<string, BriefAt>> | undefined;

  constructor(blobs: BlobStore, warn: (message: string) => void) {
    this.#blobs = blobs;
    this.#warn = warn;
  }

  /** Reads the newest ones, by model id; at most once. Two requests. */
  read(options: BlobOptions): Promise<ReadonlyMap<string, BriefAt>> {
    this.#briefs ??= this.#read(options);
    return this.#briefs;
  }

  /** Writes all briefs of a store and removes the older ones. */
  async write(briefs: ReadonlyMap<string, BriefAt>, now: Date, options: BlobOptions): Promise<void> {
    if (this.#blobs.capabilities.readOnly) return;
    const older = await this.#keys(options);
    const name = `${String(now.getTime()).padStart(14, '0')}-${randomBytes(8).toString('hex')}.json`;
    const text = JSON.stringify({ format: FORMAT, models: Object.fromEntries(briefs) });
    const body = bodyOf(`${digestOf(text)}\n${text}\n`);
    try {
      await this.#blobs.write(`${PREFIX}${name}`, body, options);
      for (const key of older) await this.#blobs.delete(key, options);
    } catch (error) {
      // Who may read but not write a store lists it all the same.
      if (!isIngotError(error) || error.code === 'interrupted') throw error;
    }
  }

  async #read(options: BlobOptions): Promise<ReadonlyMap<string, BriefAt>> {
    const key = (await this.#keys(options)).at(-1);
    const bytes = key === undefined ? undefined : await readIfPresent(this.#blobs, key, options);
    if (key === undefined || bytes === undefined) return new Map();
    try {
      return parseBriefs(bytes.toString('utf8'), key);
    } catch (error) {
      if (!isIngotError(error, 'integrity')) throw error;
      this.#warn(`${key} is damaged; it is only a cache, so the models are read instead`);
      return new Map();
    }
  }

  async #keys(options: BlobOptions): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.#blobs.list(PREFIX, options)) keys.push(key);
    return keys;
  }
}

function parseBriefs(text: string, key: string): ReadonlyMap<string, BriefAt> {
  const end = text.indexOf('\n');
  const json = text.slice(end + 1, -1);
  const document = text.slice(0, end) === digestOf(json) ? parseJson(json) : null;
  const fields = new Fields(isJsonObject(document) ? document : {}, key);
  if (fields.count('format') !== FORMAT) return new Map();
  const models: JsonObject = fields.object('models');
  return new Map(
    Object.entries(models).map(([id, value]) => {
      const model = new Fields(isJsonObject(value) ? value : {}, key);
      const brief = parseBrief(model.object('brief'), key);
      return [id, { seq: model.positive('seq'), digest: model.digest('digest'), brief }];
    }),
  );
}
