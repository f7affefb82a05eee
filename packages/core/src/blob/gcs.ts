/**
 * Google Cloud Storage. An *object* is a blob; its *generation* is a number that GCS gives each time an object is made,
 * and names old versions where the bucket keeps them.
 */

import { IngotError } from '../errors.ts';
import type {
  BlobBody,
  BlobEntry,
  BlobOptions,
  BlobReadOptions,
  BlobStat,
  BlobStore,
  BlobVersion,
  BlobVersionOptions,
  ByteRange,
} from './blob-store.ts';
import { type GcsClient, openGcsClient } from './gcs/client.ts';
import { type GcsConfig, readGcsConfig } from './gcs/config.ts';
import { GcsRefusal, gcsFailure, isBucketMissing, noBucket, refusalIn } from './gcs/failures.ts';
import { objectsIn, readObject, type StoredObject } from './gcs/objects.ts';
import { checkedReply } from './gcs/checked-reply.ts';
import { GcsTransport } from './gcs/transport.ts';
import { SINGLE_REQUEST_BYTES, type UploadTarget, uploadAtOnce, uploadInParts } from './gcs/upload.ts';
import { stopIfInterrupted } from './interrupt.ts';
import { checkKey, compareKeys, isKey } from './key.ts';
import { checkRange, fitRange } from './range.ts';
import { RemoteCalls } from './remote/calls.ts';
import type { StorageEnv } from './remote/storage-url.ts';
import type { CallWatch } from './remote/watch.ts';

/** Options of {@link openGcsBlobStore}. */
export interface GcsBlobStoreOptions {
  /** See {@link openGcsBlobStore} for the variables that count. */
  readonly env: StorageEnv;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Requests: stat, read and delete 1; write 1 up to 32 MiB, else 2 and 1 more for every 16 MiB; list and versions 1 per
 * 1,000. The first "not found" of an unknown bucket may take 1 more. A token is fetched about once an hour.
 */
class GcsBlobStore implements BlobStore {
  readonly address: string;
  readonly capabilities = { createIfAbsent: 'yes', stalenessMs: 0, localFiles: false, readOnly: false } as const;
  readonly #config: GcsConfig;
  readonly #client: GcsClient;
  readonly #transport: GcsTransport;
  readonly #calls: RemoteCalls;
  #bucketSeen = false;

  constructor(config: GcsConfig, client: GcsClient) {
    this.address = config.address;
    this.#config = config;
    this.#client = client;
    this.#transport = new GcsTransport(() => client.authorize(), client.https);
    this.#calls = new RemoteCalls({
      address: config.address,
      silenceMs: config.silenceMs,
      place: config.bucket,
      list: () => client.bucketNames(),
      explain: (error, call) => gcsFailure(error, { config, ...call }),
    });
  }

  async stat(key: string, { signal, objectVersion }: BlobVersionOptions = {}): Promise<BlobStat | undefined> {
    checkKey(key);
    return this.#calls.make('blob.stat', key, signal, async (watch) => {
      const query = { generation: generationOf(objectVersion), fields: 'name,size,timeCreated,generation' };
      const found = await this.#orMissing(watch, () => this.#json(watch, { uri: this.#objectPath(key), query }));
      return found === undefined ? undefined : statOf(readObject(found));
    });
  }

  async *read(key: string, { signal, range, objectVersion }: BlobReadOptions = {}): AsyncIterable<Uint8Array> {
    checkKey(key);
    checkRange(range);
    stopIfInterrupted(signal, 'blob.read');
    const { silenceMs } = this.#config;
    if (range !== undefined && range.start === range.end)
      return this.#checkEmptyRange(key, range, signal, objectVersion);
    using watch = this.#calls.watch('blob.read', signal);
    const translate = (error: unknown) => this.#calls.explain(error, 'blob.read', key, watch);
    try {
      const reply = await this.#orMissing(watch, () => this.#media(key, range, objectVersion, watch));
      if (reply === undefined)
        throw new IngotError('content-not-found', `there is no blob "${key}" in ${this.address}`, { details: { key } });
      // From here on the time counts in which bytes are waited for.
      watch.pause();
      yield* checkedReply(reply, { key, range, address: this.address, silenceMs, signal, translate });
    } catch (error) {
      if (error instanceof GcsRefusal && error.status === 416)
        return this.#checkEmptyRange(key, range, signal, objectVersion);
      throw await this.#calls.nearest(translate(error), signal);
    }
  }

  async write(key: string, body: BlobBody, { signal }: BlobOptions = {}): Promise<'created' | 'exists'> {
    checkKey(key);
    return this.#calls.make('blob.write', key, signal, async (watch) => {
      const upload = body.sizeBytes <= SINGLE_REQUEST_BYTES ? uploadAtOnce : uploadInParts;
      try {
        await upload(this.#transport, this.#target(key), key, body, watch);
        return 'created';
      } catch (error) {
        if (refusalIn(error)?.status === 412) return 'exists';
        throw error;
      }
    });
  }

  async delete(key: string, { signal }: BlobOptions = {}): Promise<void> {
    checkKey(key);
    await this.#calls.make('blob.delete', key, signal, async (watch) => {
      await this.#orMissing(watch, () => this.#json(watch, { method: 'DELETE', uri: this.#objectPath(key) }));
    });
  }

  async *list(prefix: string, options: BlobOptions & { readonly after?: string } = {}): AsyncIterable<BlobEntry> {
    const { signal, after } = options;
    const base = this.#config.prefix;
    const query = {
      prefix: base + prefix,
      // The offset itself is listed too.
      startOffset: after === undefined ? undefined : base + after,
      fields: 'nextPageToken,items(name,size,timeCreated,generation)',
    };
    for await (const object of this.#objects(query, signal)) {
      const key = object.name.slice(base.length);
      if (!isKey(key) || (after !== undefined && compareKeys(key, after) <= 0)) continue;
      yield { key, ...statOf(object) };
      stopIfInterrupted(signal, 'blob.list');
    }
  }

  async *versions(key: string, { signal }: BlobOptions = {}): AsyncIterable<BlobVersion> {
    checkKey(key);
    const name = this.#config.prefix + key;
    const fields = 'nextPageToken,items(name,size,timeCreated,timeDeleted,generation)';
    const found: StoredObject[] = [];
    // Other objects whose names begin with this one are listed behind it.
    for await (const object of this.#objects({ prefix: name, versions: true, fields }, signal)) {
      if (object.name !== name) break;
      found.push(object);
    }
    found.sort((a, b) => (BigInt(a.generation) < BigInt(b.generation) ? 1 : -1));
    for (const object of found)
      yield { ...statOf(object), objectVersion: object.generation, isNewest: !object.isReplaced };
  }

  async *#objects(query: Query, signal: AbortSignal | undefined): AsyncIterable<StoredObject> {
    for (let pageToken: string | undefined; ; ) {
      const page = await this.#calls.make('blob.list', undefined, signal, async (watch) =>
        objectsIn(await this.#json(watch, { uri: '/o', query: { ...query, maxResults: 1000, pageToken } })),
      );
      yield* page.objects;
      if (page.nextPageToken === undefined) return;
      pageToken = page.nextPageToken;
    }
  }

  // HTTP has no empty ranges: whether there is a blob, and whether it is long enough, is all that can be asked.
  async #checkEmptyRange(
    key: string,
    range: ByteRange | undefined,
    signal: AbortSignal | undefined,
    objectVersion: string | undefined,
  ): Promise<void> {
    const stat = await this.stat(key, { ...(signal && { signal }), ...(objectVersion && { objectVersion }) });
    if (stat === undefined)
      throw new IngotError('content-not-found', `there is no blob "${key}" in ${this.address}`, { details: { key } });
    fitRange(key, stat.sizeBytes, range);
  }

  #media(key: string, range: ByteRange | undefined, version: string | undefined, watch: CallWatch) {
    const url = this.#url(`/storage/v1/b/${this.#config.bucket}${this.#objectPath(key)}`, {
      alt: 'media',
      generation: generationOf(version),
      userProject: this.#config.userProject,
    });
    const headers = {
      ...this.#keyHeaders(),
      // Without it, what others stored gzipped is unpacked on the way and ranges mean something else.
      'accept-encoding': 'gzip',
      ...(range === undefined ? {} : { range: `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}` }),
    };
    return this.#transport.send({ method: 'GET', url, headers }, watch);
  }

  #target(key: string): UploadTarget {
    const { bucket, prefix, kmsKey, userProject } = this.#config;
    return {
      name: prefix + key,
      headers: this.#keyHeaders(),
      url: (uploadType) =>
        this.#url(`/upload/storage/v1/b/${bucket}/o`, {
          uploadType,
          ifGenerationMatch: 0,
          kmsKeyName: kmsKey,
          userProject,
          // fake-gcs-server reads the name only here for resumable uploads.
          name: prefix + key,
          fields: 'generation',
        }),
    };
  }

  #url(path: string, query: Query): URL {
    const url = new URL(this.#config.endpoint + path);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, `${value}`);
    return url;
  }

  #objectPath(key: string): string {
    return `/o/${encodeURIComponent(this.#config.prefix + key)}`;
  }

  #keyHeaders(): Record<string, string> {
    const key = this.#config.suppliedKey;
    if (key === undefined) return {};
    return {
      'x-goog-encryption-algorithm': 'AES256',
      'x-goog-encryption-key': key.base64,
      'x-goog-encryption-key-sha256': key.sha256Base64,
    };
  }

  async #json(
    watch: CallWatch,
    { uri, method = 'GET', query = {} }: { uri: string; method?: 'GET' | 'DELETE'; query?: Query },
  ): Promise<unknown> {
    const qs = { ...query, userProject: this.#config.userProject };
    const [body]: readonly unknown[] = await watch.race(this.#client.bucket.request({ method, uri, qs }));
    this.#bucketSeen = true;
    return body;
  }

  async #orMissing<T>(watch: CallWatch, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.#bucketSeen = true;
      return result;
    } catch (error) {
      const said = refusalIn(error);
      if (said?.status !== 404) throw error;
      if (isBucketMissing(said) ?? (await this.#bucketIsMissing(watch)))
        throw noBucket({ operation: 'open', config: this.#config }, error);
      return undefined;
    }
  }

  // Some emulators do not say what is not found. It is asked once: a bucket that was there stays.
  async #bucketIsMissing(watch: CallWatch): Promise<boolean> {
    if (this.#bucketSeen) return false;
    try {
      await this.#json(watch, { uri: '/o', query: { maxResults: 1, prefix: this.#config.prefix } });
      return false;
    } catch (error) {
      return refusalIn(error)?.status === 404;
    }
  }
}

function statOf(object: StoredObject): BlobStat & { readonly objectVersion: string } {
  return {
    sizeBytes: object.sizeBytes,
    modifiedAt: object.createdAt,
    revision: object.generation,
    objectVersion: object.generation,
  };
}

function generationOf(objectVersion: string | undefined): string | undefined {
  if (objectVersion === undefined || /^\d{1,20}$/.test(objectVersion)) return objectVersion;
  throw new IngotError(
    'usage',
    `"${objectVersion}" is not a generation: it is a number, as in gs://bucket/model.pkl#1712345678901234`,
  );
}

/**
 * Opens a bucket of Google Cloud Storage as a blob store: `gs://BUCKET/PREFIX`, with the options `?endpoint=URL` and
 * `&userProject=ID`. Google's client is loaded here; no request is sent.
 *
 * Variables: `GOOGLE_APPLICATION_CREDENTIALS` (a key file, or the configuration of workload identity federation; without
 * it `gcloud auth application-default login` and the metadata server are asked), `GOOGLE_CLOUD_PROJECT`,
 * `STORAGE_EMULATOR_HOST` (an emulator: no credentials), `INGOT_GCS_ENDPOINT` (a private endpoint),
 * `INGOT_GCS_ANONYMOUS=true` (public buckets), `INGOT_GCS_USER_PROJECT` (requester pays), `HTTPS_PROXY` and `NO_PROXY`, `INGOT_GCS_KMS_KEY` (new
 * objects are sealed with this key of Cloud KMS), `INGOT_GCS_ENCRYPTION_KEY` (32 bytes in base64 that seal and open objects).
 *
 * @throws IngotError `usage` for a malformed address, `invalid-config` for a malformed variable.
 *
 * @example
 * const store = await openGcsBlobStore('gs://team-models/prod', { env: process.env });
 */
export async function openGcsBlobStore(address: string, options: GcsBlobStoreOptions): Promise<BlobStore> {
  const config = readGcsConfig(address, options.env);
  return new GcsBlobStore(config, await openGcsClient(config, options.env));
}
