import type { Services } from '../services.ts';
import { openArtifactContext } from '../artifacts/artifact-context.ts';
import type { BlobContext, ModelRecipes } from './blob-context.ts';
import { packStagedBlobs, stagedBlobBytes, sweepUnnamed } from './blob-upkeep.ts';
import type { BlobReferences, ModelContents } from './oci-blobs.ts';
import { PushedBlobs } from './pushed-blobs.ts';
import { Uploads } from './uploads.ts';

/** Blobs and uploads. Disposing them ends what they do in the background. */
export interface BlobRoom extends AsyncDisposable {
  readonly blobs: PushedBlobs;
  readonly uploads: Uploads;
}

/** What the room is opened with. */
export interface BlobRoomOptions {
  /** Folder for what only passes through. */
  readonly scratch: string;
  readonly models: ModelContents;
  /** Versions that new blobs may share contents with. Default: none. */
  readonly recipes?: ModelRecipes;
  readonly references: BlobReferences;
  /** Lets go of what names blobs and counts no more, before unnamed ones are looked for. Default: nothing is. */
  readonly beforeSweep?: (() => Promise<unknown>) | undefined;
  /** Most bytes of a blob. Default: 1 TiB. */
  readonly largestBytes?: number | undefined;
}

const ROUND_MS = 30_000;
/** Staged blobs move after this time: by then a manifest has come that makes a version of them. */
const STAGED_MS = 2 * 60_000;
/** More than this moves at once. */
const STAGED_BYTES = 64 * 1024 * 1024;
const SWEEP_ROUNDS = 120;
const LARGEST_BYTES = 2 ** 40;

/** Opens blobs and uploads, and begins what is done in the background. */
export async function openBlobRoom(
  services: Pick<Services, 'store' | 'database' | 'log' | 'now' | 'random'>,
  { scratch, largestBytes = LARGEST_BYTES, beforeSweep, ...others }: BlobRoomOptions,
): Promise<BlobRoom> {
  const context = { ...(await openArtifactContext(services, scratch)), ...others, largestBytes };
  const blobs = new PushedBlobs(context);
  const uploads = new Uploads(context, blobs);
  return { blobs, uploads, ...keptUp(context, { blobs, uploads, beforeSweep }) };
}

function keptUp(
  context: BlobContext,
  { blobs, uploads, beforeSweep }: Omit<BlobRoom, keyof AsyncDisposable> & Pick<BlobRoomOptions, 'beforeSweep'>,
): AsyncDisposable {
  let running: Promise<void> | undefined;
  let [rounds, isEnded] = [0, false];
  const round = async (): Promise<void> => {
    await packOld(context, () => isEnded);
    if (rounds % SWEEP_ROUNDS !== 1) return;
    await uploads.expire();
    await beforeSweep?.();
    await sweepUnnamed(context, blobs);
  };
  const timer = setInterval(() => {
    if (running !== undefined) return;
    rounds += 1;
    running = round()
      .catch((error: unknown) => {
        if (!isEnded) context.log('warn', `keeping up blobs failed: ${String(error)}`);
      })
      .finally(() => {
        running = undefined;
      });
  }, ROUND_MS);
  timer.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      isEnded = true;
      await running;
    },
  };
}

async function packOld(context: BlobContext, isEnded: () => boolean): Promise<void> {
  const now = context.now().getTime();
  const isMuch = (await stagedBlobBytes(context)) > STAGED_BYTES;
  const until = new Date(isMuch ? now : now - STAGED_MS).toISOString();
  while (!isEnded() && (await packStagedBlobs(context, until)) > 0);
}
