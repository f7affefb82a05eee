import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { bodyOf, readIfPresent } from '../../blob/bytes.ts';
import { IngotError, isIngotError } from '../../errors.ts';
import { canonicalJson } from '../../json.ts';
import { withSum } from '../../sum.ts';
import { parseRoot, parseUploadRoot, ROOTS_PREFIX } from '../roots.ts';

/** A root as it stands in the store. */
export interface StandingRoot {
  readonly key: string;
  /** By the storage's clock, in milliseconds since 1970. */
  readonly modifiedMs: number;
  readonly packs: readonly string[];
  /** Of an upload: its id, and that of the model it is for. */
  readonly upload?: { readonly id: string; readonly modelId: string };
  /** Of a collection: the id of its run. */
  readonly run?: string;
}

const UPLOAD = /^roots\/uploads\/([^/]+)\/\d+\.json$/;
const COLLECTION = /^roots\/collections\/([^/]+)\.json$/;

/**
 * Reads all roots. One that goes while they are read may be missing: whatever it named has an event by then, or was
 * given up.
 * @throws IngotError `integrity` naming a root that cannot be read: nothing may be deleted then.
 */
export async function standingRoots(blobs: BlobStore, options: BlobOptions = {}): Promise<readonly StandingRoot[]> {
  const roots: StandingRoot[] = [];
  for await (const { key, modifiedAt } of blobs.list(ROOTS_PREFIX, options)) {
    const bytes = await readIfPresent(blobs, key, options);
    if (bytes !== undefined) roots.push({ key, modifiedMs: modifiedAt.getTime(), ...parsed(bytes, key) });
  }
  return roots;
}

function parsed(bytes: Uint8Array, key: string): Pick<StandingRoot, 'packs' | 'upload' | 'run'> {
  const run = COLLECTION.exec(key)?.[1];
  try {
    if (!UPLOAD.test(key)) return { packs: parseRoot(bytes, key), ...(run === undefined ? {} : { run }) };
    const { upload, modelId, packs } = parseUploadRoot(bytes, key);
    if (key.startsWith(`roots/uploads/${upload}/`)) return { packs, upload: { id: upload, modelId } };
  } catch (error) {
    if (!isIngotError(error, 'integrity')) throw error;
    throw damaged(key, error);
  }
  throw damaged(key);
}

function damaged(key: string, cause?: unknown): IngotError {
  return new IngotError('integrity', `${key} is damaged, so nobody knows what must be kept for it`, {
    hint: `delete ${key} once nothing is being pushed that could have written it`,
    details: { file: key },
    cause,
  });
}

/** Key of the root that keeps the new packs of a collection. */
export function collectionRootKey(run: string): string {
  return `roots/collections/${run}.json`;
}

/** Says which packs a collection is going to write, before it writes the first. */
export async function writeCollectionRoot(
  blobs: BlobStore,
  run: string,
  packs: readonly string[],
  options: BlobOptions,
): Promise<void> {
  const document = withSum({ format: 1, run, packs });
  await blobs.write(collectionRootKey(run), bodyOf(`${canonicalJson(document)}\n`), options);
}
