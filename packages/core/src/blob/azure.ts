/**
 * Azure Blob Storage. An *account* holds *containers*, which hold blobs; a *version* or a *snapshot* is an older state of
 * a blob that the account keeps.
 */

import type { BlobClient, ContainerClient } from '@azure/storage-blob';
import { IngotError } from '../errors.ts';
import { checkedDownload } from './azure/checked-download.ts';
import { type AzureClient, openAzureClient, suppliedKeyOf } from './azure/client.ts';
import { type AzureConfig, readAzureConfig } from './azure/config.ts';
import { type AzureRefusal, azureFailure, azureRefusal } from './azure/failures.ts';
import { inKeyOrder, type ListedBlob } from './azure/listing.ts';
import { bareEtag, pointAt, type PointedBlob } from './azure/object-version.ts';
import { SINGLE_REQUEST_BYTES, uploadAtOnce, uploadInBlocks } from './azure/upload.ts';
import { versionsIn } from './azure/versions.ts';
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
import { stopIfInterrupted } from './interrupt.ts';
import { checkKey, compareKeys, isKey } from './key.ts';
import { checkRange, fitRange } from './range.ts';
import { RemoteCalls } from './remote/calls.ts';
import type { StorageEnv } from './remote/storage-url.ts';

/** Options of {@link openAzureBlobStore}. */
export interface AzureBlobStoreOptions {
  /** See {@link openAzureBlobStore} for the variables that count. */
  readonly env: StorageEnv;
}

const PAGE_SIZE = 5000;

/** What Azure says when a blob is there already: a signature that only lets create says it in its own way. */
const TAKEN = new Set(['BlobAlreadyExists', 'ConditionNotMet', 'UnauthorizedBlobOverwrite', 'LeaseIdMissing']);

/**
 * Requests: stat, read and delete 1; write 1 up to 32 MiB, else 1 for every 8 MiB and 1 more; list and versions 1 per
 * 5,000, from the first key of the prefix on, as Azure cannot begin a listing in the middle.
 */
class AzureBlobStore implements BlobStore {
  readonly address: string;
  readonly capabilities = { createIfAbsent: 'yes', stalenessMs: 0, localFiles: false, readOnly: false } as const;
  readonly #config: AzureConfig;
  readonly #container: ContainerClient;
  readonly #calls: RemoteCalls;

  constructor(config: AzureConfig, client: AzureClient) {
    this.address = config.address;
    this.#config = config;
    this.#container = client.container;
    this.#calls = new RemoteCalls({
      address: config.address,
      silenceMs: config.silenceMs,
      place: config.container,
      list: (signal) => client.containerNames(signal),
      explain: (error, call) => azureFailure(error, { config, ...call }),
    });
  }

  async stat(key: string, { signal, objectVersion }: BlobVersionOptions = {}): Promise<BlobStat | undefined> {
    checkKey(key);
    const { blob, conditions } = this.#pointed(key, objectVersion);
    return this.#calls.make('blob.stat', key, signal, (watch) =>
      orMissing(async () => {
        const abortSignal = watch.signal;
        const found = await watch.race(blob.getProperties({ abortSignal, conditions, ...suppliedKeyOf(this.#config) }));
        // A directory of an account with a hierarchical namespace.
        if (found.metadata?.hdi_isfolder === 'true') return undefined;
        return {
          sizeBytes: found.contentLength ?? 0,
          modifiedAt: found.lastModified ?? new Date(0),
          ...(found.etag === undefined ? {} : { revision: bareEtag(found.etag) }),
          ...(found.versionId === undefined ? {} : { objectVersion: found.versionId }),
        };
      }),
    );
  }

  async *read(key: string, { signal, range, objectVersion }: BlobReadOptions = {}): AsyncIterable<Uint8Array> {
    checkKey(key);
    checkRange(range);
    stopIfInterrupted(signal, 'blob.read');
    const { blob, conditions } = this.#pointed(key, objectVersion);
    if (range !== undefined && range.start === range.end)
      return this.#checkEmptyRange(key, range, signal, objectVersion);
    using watch = this.#calls.watch('blob.read', signal);
    const translate = (error: unknown) => this.#calls.explain(error, 'blob.read', key, watch);
    const { silenceMs } = this.#config;
    try {
      const count = range?.end === undefined ? undefined : range.end - range.start;
      const options = { abortSignal: watch.signal, conditions, maxRetryRequests: 0, ...suppliedKeyOf(this.#config) };
      const reply = await orMissing(() => watch.race(blob.download(range?.start ?? 0, count, options)));
      if (reply === undefined) throw this.#notFound(key);
      // From here on the time counts in which bytes are waited for.
      watch.pause();
      yield* checkedDownload(reply, { key, range, address: this.address, silenceMs, signal, translate });
    } catch (error) {
      if (azureRefusal(error)?.status === 416) return this.#checkEmptyRange(key, range, signal, objectVersion);
      throw await this.#calls.nearest(translate(error), signal);
    }
  }

  async write(key: string, body: BlobBody, { signal }: BlobOptions = {}): Promise<'created' | 'exists'> {
    checkKey(key);
    return this.#calls.make('blob.write', key, signal, async (watch) => {
      const upload = body.sizeBytes <= SINGLE_REQUEST_BYTES ? uploadAtOnce : uploadInBlocks;
      const blob = this.#container.getBlockBlobClient(this.#config.prefix + key);
      try {
        await watch.race(upload(blob, this.#config, key, body, watch));
        return 'created';
      } catch (error) {
        const refusal = azureRefusal(error);
        if (refusal !== undefined && TAKEN.has(refusal.code)) return 'exists';
        if (refusal !== undefined && (await this.#isTakenAnyway(key, refusal, signal))) return 'exists';
        throw error;
      }
    });
  }

  // Whoever commits first takes the other's blocks away, and a signature that only lets create forbids to overwrite
  // before the condition is looked at.
  async #isTakenAnyway(key: string, { code, status }: AzureRefusal, signal: AbortSignal | undefined): Promise<boolean> {
    if (code !== 'InvalidBlockList' && status !== 403) return false;
    try {
      return (await this.stat(key, signal && { signal })) !== undefined;
    } catch {
      // What was refused first is what has to be told.
      return false;
    }
  }

  async delete(key: string, { signal }: BlobOptions = {}): Promise<void> {
    checkKey(key);
    const { blob } = this.#pointed(key, undefined);
    await this.#calls.make('blob.delete', key, signal, (watch) =>
      orMissing(() => watch.race(blob.delete({ abortSignal: watch.signal }))),
    );
  }

  async *list(prefix: string, options: BlobOptions & { readonly after?: string } = {}): AsyncIterable<BlobEntry> {
    const { signal, after } = options;
    stopIfInterrupted(signal, 'blob.list');
    for await (const { isDirectory, ...entry } of inKeyOrder(this.#listed(prefix, signal))) {
      if (isDirectory || (after !== undefined && compareKeys(entry.key, after) <= 0)) continue;
      yield entry;
      stopIfInterrupted(signal, 'blob.list');
    }
  }

  async *versions(key: string, { signal }: BlobOptions = {}): AsyncIterable<BlobVersion> {
    checkKey(key);
    const name = this.#config.prefix + key;
    const include = { includeVersions: true, includeSnapshots: true };
    const found = [];
    // Other blobs whose names begin with this one are listed behind it.
    for await (const item of this.#items({ prefix: name, ...include }, signal)) {
      if (item.name !== name) break;
      found.push(item);
    }
    yield* versionsIn(found);
  }

  async *#listed(prefix: string, signal: AbortSignal | undefined): AsyncIterable<ListedBlob> {
    const base = this.#config.prefix;
    for await (const item of this.#items({ prefix: base + prefix, includeMetadata: true }, signal)) {
      const key = item.name.slice(base.length);
      if (!isKey(key)) continue;
      const { contentLength, lastModified, etag } = item.properties;
      yield {
        key,
        sizeBytes: contentLength ?? 0,
        modifiedAt: lastModified,
        revision: bareEtag(etag),
        isDirectory: item.metadata?.hdi_isfolder === 'true',
        ...(item.versionId === undefined ? {} : { objectVersion: item.versionId }),
      };
    }
  }

  async *#items(query: Parameters<ContainerClient['listBlobsFlat']>[0] & object, signal: AbortSignal | undefined) {
    for (let continuationToken: string | undefined; ; ) {
      const page = await this.#calls.make('blob.list', undefined, signal, (watch) => {
        const settings = { maxPageSize: PAGE_SIZE, ...(continuationToken && { continuationToken }) };
        const pages = this.#container.listBlobsFlat({ ...query, abortSignal: watch.signal }).byPage(settings);
        return watch.race(pages.next());
      });
      if (page.done) return;
      yield* page.value.segment.blobItems;
      continuationToken = page.value.continuationToken;
      if (continuationToken === undefined || continuationToken === '') return;
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
    if (stat === undefined) throw this.#notFound(key);
    fitRange(key, stat.sizeBytes, range);
  }

  #pointed(key: string, objectVersion: string | undefined): PointedBlob<BlobClient> {
    return pointAt(this.#container.getBlobClient(this.#config.prefix + key), objectVersion);
  }

  #notFound(key: string): IngotError {
    return new IngotError('content-not-found', `there is no blob "${key}" in ${this.address}`, { details: { key } });
  }
}

// A missing container is a failure; a missing blob is an answer. Replies to HEAD have no text, only the code.
async function orMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const refusal = azureRefusal(error);
    const isMissing = refusal?.status === 404 && refusal.code !== 'ContainerNotFound';
    // Conditions are only set to name the bytes of a version.
    if (isMissing || refusal?.code === 'ConditionNotMet') return undefined;
    throw error;
  }
}

/**
 * Opens a container of Azure Blob Storage as a blob store: `az://CONTAINER/PREFIX`, with the options `?account=NAME` and
 * `&endpoint=URL`. Azure's client is loaded here; no request is sent.
 *
 * Variables: `AZURE_STORAGE_ACCOUNT` with `AZURE_STORAGE_KEY` or `AZURE_STORAGE_SAS_TOKEN`, or all of them in
 * `AZURE_STORAGE_CONNECTION_STRING`; without any the chain of `DefaultAzureCredential` (service principal, workload
 * identity, managed identity, `az login`). `INGOT_AZURE_ENDPOINT` (a private endpoint, another cloud, Azurite),
 * `INGOT_AZURE_ANONYMOUS=true` (public containers), `INGOT_AZURE_ENCRYPTION_SCOPE` (new blobs are sealed with that
 * scope's key, which may be the customer's in Key Vault), `INGOT_AZURE_ENCRYPTION_KEY` (32 bytes in base64 that seal and
 * open blobs; HTTPS only).
 *
 * @throws IngotError `usage` for a malformed address, `invalid-config` for a malformed or missing variable.
 *
 * @example
 * const store = await openAzureBlobStore('az://models/prod?account=contoso', { env: process.env });
 */
export async function openAzureBlobStore(address: string, { env }: AzureBlobStoreOptions): Promise<BlobStore> {
  const config = readAzureConfig(address, env);
  return new AzureBlobStore(config, await openAzureClient(config));
}
