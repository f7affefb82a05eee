import { HeadBucketCommand, ListBucketsCommand, type S3Client } from '@aws-sdk/client-s3';
import type { IngotError } from '../../errors.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import { withNearestPlace } from '../remote/nearest-place.ts';
import { ReadsAlike } from './alike.ts';
import { isMissing, speaksOfObject } from './failure-facts.ts';
import { translated } from './failures.ts';
import type { S3Settings } from './settings.ts';

/** Options of one call of the SDK. */
export interface CallOptions {
  readonly abortSignal?: AbortSignal;
}

/** What one request is for. */
export interface Call {
  readonly operation: string;
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

/** One bucket: what every request to it needs. */
export class Bucket {
  readonly settings: S3Settings;
  readonly client: S3Client;
  /** The customer's own key, which reading and writing need. */
  readonly customerKey: { readonly SSECustomerAlgorithm?: 'AES256'; readonly SSECustomerKey?: string };
  /** Keys whose last write got no answer. */
  readonly unanswered = new Set<string>();
  readonly readsAlike = new ReadsAlike();
  #isKnown = false;

  constructor(settings: S3Settings, client: S3Client) {
    this.settings = settings;
    this.client = client;
    const { customerKey } = settings.encryption;
    this.customerKey = customerKey === undefined ? {} : { SSECustomerAlgorithm: 'AES256', SSECustomerKey: customerKey };
  }

  /** Names the object of a key, and who pays. */
  target(key: string): { readonly Bucket: string; readonly Key: string; readonly RequestPayer?: 'requester' } {
    return { ...this.whole(), Key: `${this.settings.prefix}${key}` };
  }

  /** Names the bucket, and who pays. */
  whole(): { readonly Bucket: string; readonly RequestPayer?: 'requester' } {
    const { bucket, requesterPays } = this.settings;
    return { Bucket: bucket, ...(requesterPays ? { RequestPayer: 'requester' } : {}) };
  }

  /** Sends a request. Its failure is thrown as the SDK throws it. */
  async send<Result>({ operation, signal }: Call, work: (options: CallOptions) => Promise<Result>): Promise<Result> {
    stopIfInterrupted(signal, operation);
    try {
      const result = await work(signal === undefined ? {} : { abortSignal: signal });
      this.#isKnown = true;
      return result;
    } catch (error) {
      this.#isKnown ||= speaksOfObject(error);
      throw error;
    }
  }

  /** Says a failure in the user's words. */
  async explain(error: unknown, { operation, key, signal }: Call): Promise<IngotError> {
    const said = translated(error, { settings: this.settings, operation, key, signal });
    return await withNearestPlace(said, this.settings.bucket, (until) => this.#bucketNames(until), signal);
  }

  /** Sends a request and says its failure in the user's words. */
  async call<Result>(call: Call, work: (options: CallOptions) => Promise<Result>): Promise<Result> {
    try {
      return await this.send(call, work);
    } catch (error) {
      throw await this.explain(error, call);
    }
  }

  /**
   * Tells a missing blob from a missing bucket, which answers without a body cannot. Asks once.
   * @throws IngotError `store-not-found`.
   */
  async checkThere(call: Call): Promise<void> {
    if (this.#isKnown) return;
    try {
      await this.send(call, (options) =>
        this.client.send(new HeadBucketCommand({ Bucket: this.settings.bucket }), options),
      );
    } catch (error) {
      if (isMissing(error))
        throw await this.explain(
          Object.assign(new Error(), { Code: 'NoSuchBucket', $metadata: { httpStatusCode: 404 } }),
          call,
        );
      // Who may not ask is told so when it matters; who cannot ask now is told now.
      const said = await this.explain(error, call);
      if (said.code !== 'forbidden') throw said;
    }
  }

  async #bucketNames(abortSignal: AbortSignal): Promise<readonly string[]> {
    const { Buckets = [] } = await this.client.send(new ListBucketsCommand({}), { abortSignal });
    return Buckets.flatMap(({ Name }) => (Name === undefined ? [] : [Name]));
  }
}
