import { randomBytes } from 'node:crypto';
import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { createClockCheck } from './clock-check.ts';
import { EventLog } from './event-log.ts';
import { modelFold } from './model-fold.ts';

/** What {@link createUploadExpirer} needs. */
export interface ExpirerOptions {
  readonly blobs: BlobStore;
  /** Who gives uploads up, as the history shows it. */
  readonly actor: string;
  /** Default: the system clock. */
  readonly clock?: () => Date;
  /** Default: the system's random bytes. */
  readonly random?: (size: number) => Uint8Array;
}

/** Gives an upload up: when it returns, either `upload-expired` stands in the model's log or the log is closed. */
export type ExpireUpload = (modelId: string, upload: string, options?: BlobOptions) => Promise<void>;

/**
 * Makes what gives up uploads of models, by the ids of both. From then on publishing the upload is refused, so what
 * only its root names is needed by nobody.
 */
export function createUploadExpirer(options: ExpirerOptions): ExpireUpload {
  const now = options.clock ?? (() => new Date());
  const random = options.random ?? randomBytes;
  const { blobs, actor } = options;
  const tools = { blobs, actor, now, random, warn: () => {}, checkClock: createClockCheck(blobs, now, random) };
  return async (modelId, upload, callOptions = {}) => {
    const log = new EventLog(tools, `models/${modelId}`, modelFold);
    await log.append(
      ({ state }) =>
        state.closed || state.expiredUploads.includes(upload)
          ? undefined
          : { kind: 'upload-expired', body: { upload, reason: 'abandoned' } },
      callOptions,
    );
  };
}
