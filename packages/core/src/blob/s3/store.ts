import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import type {
  BlobBody,
  BlobCapabilities,
  BlobEntry,
  BlobOptions,
  BlobReadOptions,
  BlobStat,
  BlobStore,
  BlobVersion,
  BlobVersionOptions,
  SignedAddress,
  SignedUse,
} from '../blob-store.ts';
import { checkKey } from '../key.ts';
import { Bucket, type Call } from './bucket.ts';
import { createS3Client } from './client.ts';
import { isMissing } from './failure-facts.ts';
import { listObjects, listVersions } from './listing.ts';
import { lookAt } from './look.ts';
import { readObject } from './read.ts';
import type { S3Settings } from './settings.ts';
import { signAddress } from './sign-address.ts';
import { writeObject } from './write.ts';

class S3BlobStore implements BlobStore {
  readonly address: string;
  readonly capabilities: BlobCapabilities;
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    const { settings } = bucket;
    this.address = settings.address;
    // Amazon promises it; of servers that speak its protocol some overwrite, and a probe has to tell.
    const createIfAbsent = settings.endpoint === undefined ? 'yes' : 'unverified';
    this.capabilities = { createIfAbsent, stalenessMs: 0, localFiles: false, readOnly: false };
    this.#bucket = bucket;
  }

  async stat(key: string, { signal, objectVersion }: BlobVersionOptions = {}): Promise<BlobStat | undefined> {
    return lookAt(this.#bucket, callOf('blob.stat', key, signal), objectVersion);
  }

  async *read(key: string, options: BlobReadOptions = {}): AsyncIterable<Uint8Array> {
    yield* readObject(this.#bucket, callOf('blob.read', key, options.signal), options);
  }

  async write(key: string, body: BlobBody, { signal }: BlobOptions = {}): Promise<'created' | 'exists'> {
    return writeObject(this.#bucket, callOf('blob.write', key, signal), body);
  }

  async delete(key: string, { signal }: BlobOptions = {}): Promise<void> {
    const bucket = this.#bucket;
    const call = callOf('blob.delete', key, signal);
    try {
      await bucket.send(call, (options) => bucket.client.send(new DeleteObjectCommand(bucket.target(key)), options));
    } catch (error) {
      if (!isMissing(error)) throw await bucket.explain(error, call);
    }
  }

  async *list(
    prefix: string,
    { signal, after }: BlobOptions & { readonly after?: string } = {},
  ): AsyncIterable<BlobEntry> {
    yield* listObjects(this.#bucket, { operation: 'blob.list', key: prefix, signal }, after);
  }

  async signed(key: string, use: SignedUse): Promise<SignedAddress | undefined> {
    checkKey(key);
    return await signAddress(this.#bucket, key, use);
  }

  async *versions(key: string, { signal }: BlobOptions = {}): AsyncIterable<BlobVersion> {
    yield* listVersions(this.#bucket, callOf('blob.versions', key, signal));
  }
}

function callOf(operation: string, key: string, signal: AbortSignal | undefined): Call {
  checkKey(key);
  return { operation, key, signal };
}

/** Makes the store that settings describe. Loading this file loads the SDK. */
export async function createS3BlobStore(settings: S3Settings): Promise<BlobStore> {
  return new S3BlobStore(new Bucket(settings, await createS3Client(settings)));
}
