import type { Services } from '../services.ts';
import { artifactPlaces } from '../tracking/artifact-places.ts';
import { type ArtifactContext, openArtifactContext } from './artifact-context.ts';
import { ArtifactTree } from './artifact-tree.ts';
import { sweepRoots } from './holdings.ts';
import { type ArtifactPlaces, ModelPackages } from './model-packages.ts';
import { MultipartUploads } from './multipart.ts';
import { packStaged, stagedTotal } from './packing.ts';
import { SignedAddresses } from './signed-addresses.ts';
import { VersionTrees } from './version-trees.ts';

/** All that this room does. Disposing it ends its work in the background. */
export interface Artifacts extends AsyncDisposable {
  readonly tree: ArtifactTree;
  readonly multipart: MultipartUploads;
  readonly packages: ModelPackages;
  readonly versions: VersionTrees;
  readonly addresses: SignedAddresses;
  readonly places: ArtifactPlaces;
}

const ROUND_MS = 30_000;
/** Staged files move after this time: by then a logged model is READY and has taken its own along. */
const STAGED_MS = 2 * 60_000;
/** More than this moves at once. */
const STAGED_BYTES = 64 * 1024 * 1024;
const SWEEP_ROUNDS = 120;

/** Options of {@link openArtifacts}. */
export interface ArtifactsOptions {
  /** Folder for what only passes through. */
  readonly scratch: string;
  /** Folder of the Python modules that load packages, shown to clients of MLflow. Default: they get the files alone. */
  readonly workerDirectory?: string | undefined;
}

/** Opens the room, and begins what it does in the background. */
export async function openArtifacts(
  services: Omit<ArtifactContext, 'owner' | 'key' | 'scratch'> & Pick<Services, 'registry'>,
  { scratch, workerDirectory }: ArtifactsOptions,
): Promise<Artifacts> {
  const context = await openArtifactContext(services, scratch);
  const places = artifactPlaces(services);
  const tree = new ArtifactTree(context);
  const multipart = new MultipartUploads(context, tree);
  const packages = new ModelPackages({ context, reader: tree.reader }, services.registry, places);
  const versions = new VersionTrees({ ...context, registry: services.registry, workerDirectory });
  const addresses = new SignedAddresses(context);
  const background = runInBackground(context, multipart);
  const end = async (): Promise<void> => {
    await background[Symbol.asyncDispose]();
    await tree.settle();
  };
  return { tree, multipart, packages, versions, addresses, places, [Symbol.asyncDispose]: end };
}

function runInBackground(context: ArtifactContext, multipart: MultipartUploads): AsyncDisposable {
  const ended = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let busy = false;
  let rounds = 0;
  const round = async (): Promise<void> => {
    await packOld(context, ended.signal);
    if (rounds % SWEEP_ROUNDS === 1) {
      await multipart.expire();
      await sweepRoots(context);
    }
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    rounds += 1;
    running = round()
      .catch((error: unknown) => {
        if (!ended.signal.aborted) context.log('warn', `moving artifacts into the store failed: ${String(error)}`);
      })
      .finally(() => {
        busy = false;
      });
  }, ROUND_MS);
  timer.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      ended.abort();
      await running;
    },
  };
}

async function packOld(context: ArtifactContext, signal: AbortSignal): Promise<void> {
  const now = context.now().getTime();
  const isMuch = (await stagedTotal(context)) > STAGED_BYTES;
  const until = new Date(isMuch ? now : now - STAGED_MS).toISOString();
  while (!signal.aborted && (await packStaged(context, { until, signal })) > 0);
}
