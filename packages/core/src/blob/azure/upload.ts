import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type {
  BlockBlobClient,
  BlockBlobCommitBlockListOptions,
  BlockBlobStageBlockOptions,
  BlockBlobUploadOptions,
} from '@azure/storage-blob';
import { openSignal } from '../../open-signal.ts';
import type { BlobBody } from '../blob-store.ts';
import { type BodyPart, partsOf, slicesOf, wholeOf } from '../remote/body.ts';
import type { CallWatch } from '../remote/watch.ts';
import { suppliedKeyOf } from './client.ts';
import type { AzureConfig } from './config.ts';

/** Bodies up to this size go in one request; a pack of chunks fits. */
export const SINGLE_REQUEST_BYTES = 32 * 1024 * 1024;

const BLOCK_BYTES = 8 * 1024 * 1024;
const MOST_BLOCKS = 50_000;
const BLOCKS_AT_ONCE = 4;
const CONTENT_TYPE = 'application/octet-stream';
const IF_ABSENT = { ifNoneMatch: '*' };

/** The service checks it before the blob is there. The client passes it on, though its types do not say so. */
interface Checked {
  readonly transactionalContentMD5: Uint8Array;
}

/** Sends a body of at most {@link SINGLE_REQUEST_BYTES} in one request. */
export async function uploadAtOnce(
  blob: BlockBlobClient,
  config: AzureConfig,
  key: string,
  body: BlobBody,
  watch: CallWatch,
): Promise<void> {
  const whole = await wholeOf(key, body, watch);
  const options: BlockBlobUploadOptions & Checked = {
    ...optionsOf(config, whole, watch, watch.signal),
    conditions: IF_ABSENT,
    blobHTTPHeaders: { blobContentType: CONTENT_TYPE },
  };
  await blob.upload(streamOf(whole), whole.sizeBytes, options);
}

/**
 * Sends a large body in blocks of 8 MiB (larger where it would take more than 50,000), four at once, and commits their
 * list on the condition that there is no blob. Blocks of an upload given up are never visible, and Azure drops them after
 * a week; their names all have one length, as Azure wants of the blocks of a blob.
 */
export async function uploadInBlocks(
  blob: BlockBlobClient,
  config: AzureConfig,
  key: string,
  body: BlobBody,
  watch: CallWatch,
): Promise<void> {
  const blockBytes = Math.max(BLOCK_BYTES, Math.ceil(body.sizeBytes / MOST_BLOCKS));
  const upload = randomBytes(12).toString('hex');
  const { signal, end } = openSignal(watch.signal);
  const blocks: string[] = [];
  const underWay = new Set<Promise<unknown>>();
  try {
    for await (const part of partsOf(key, body, blockBytes, watch)) {
      const id = Buffer.from(`${upload}-${String(blocks.length).padStart(6, '0')}`).toString('base64');
      blocks.push(id);
      const options: BlockBlobStageBlockOptions = optionsOf(config, part, watch, signal);
      const staging = blob.stageBlock(id, streamOf(part), part.sizeBytes, options);
      const settled = staging.finally(() => underWay.delete(settled));
      underWay.add(settled);
      if (underWay.size >= BLOCKS_AT_ONCE) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  } catch (error) {
    end();
    await Promise.allSettled(underWay);
    throw error;
  }
  watch.progress();
  const options: BlockBlobCommitBlockListOptions = {
    abortSignal: watch.signal,
    conditions: IF_ABSENT,
    blobHTTPHeaders: { blobContentType: CONTENT_TYPE },
    ...suppliedKeyOf(config),
    ...(config.encryptionScope === undefined ? {} : { encryptionScope: config.encryptionScope }),
  };
  await blob.commitBlockList(blocks, options);
}

function optionsOf(config: AzureConfig, part: BodyPart, watch: CallWatch, abortSignal: AbortSignal) {
  const md5 = createHash('md5');
  for (const piece of part.pieces) md5.update(piece);
  return {
    abortSignal,
    transactionalContentMD5: md5.digest(),
    onProgress: () => watch.progress(),
    ...suppliedKeyOf(config),
    ...(config.encryptionScope === undefined ? {} : { encryptionScope: config.encryptionScope }),
  };
}

// In slices, so that progress shows on slow lines too.
function streamOf({ pieces }: BodyPart): () => NodeJS.ReadableStream {
  return () => Readable.from(slicesOf(pieces), { objectMode: false });
}
