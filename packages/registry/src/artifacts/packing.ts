import { type Digest, isDigest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { type ArtifactContext, newId } from './artifact-context.ts';
import { stagedBytes } from './artifact-reader.ts';
import { unstage } from './artifact-rows.ts';
import { removeRoot } from './holdings.ts';

/** Files of one round: the database is busy for a moment with each. */
const FILES_AT_ONCE = 200;
const BYTES_AT_ONCE = 16 * 1024 * 1024;

/** Which staged files are moved. */
export interface PackingOptions {
  /** Those that came at or before this. ISO 8601, UTC. */
  readonly until: string;
  readonly signal?: AbortSignal;
}

/**
 * Moves staged files into packs, the oldest first, one round of a few hundred. A file that is replaced meanwhile stays
 * as it is.
 * @returns how many were moved.
 */
export async function packStaged(context: ArtifactContext, { until, signal }: PackingOptions): Promise<number> {
  const { store, database, owner, now } = context;
  const files = await oldest(context, until);
  if (files.length === 0) return 0;
  const id = newId(context);
  await using upload = await store.contents.openUpload({
    keptAs: { kind: 'artifacts', id, owner },
    ...(signal && { signal }),
  });
  const taken = await Promise.all(
    files.map(async ({ path, digest, sizeBytes }) => {
      const bytes = await stagedBytes(context, path, digest);
      if (bytes === undefined) return [];
      await upload.put({ role: 'file', path, digest, sizeBytes, open: () => once(bytes) });
      return [{ path, digest }];
    }),
  );
  const moving = taken.flat();
  if (moving.length === 0) return 0;
  const { recipe, root = '' } = await upload.seal();
  const moved = await database.own.transaction().execute(async (transaction) => {
    const count = await unstage(transaction, moving, id);
    if (count === 0) return 0;
    const row = { id, recipe: JSON.stringify(recipe), root, at: now().toISOString() };
    await transaction.insertInto('artifact_holdings').values(row).execute();
    return count;
  });
  if (moved === 0) await removeRoot(store.blobs, root);
  await upload.release();
  return moved;
}

/** How many bytes are staged. */
export async function stagedTotal({ database }: ArtifactContext): Promise<number> {
  const row = await database.own
    .selectFrom('artifact_staged')
    .select(({ fn }) => fn.sum<number | string | null>('size_bytes').as('total'))
    .executeTakeFirst();
  return Number(row?.total ?? 0);
}

async function oldest(
  { database }: ArtifactContext,
  until: string,
): Promise<readonly { readonly path: string; readonly digest: Digest; readonly sizeBytes: number }[]> {
  const rows = await database.own
    .selectFrom('artifact_staged')
    .select(['path', 'digest', 'size_bytes'])
    .where('at', '<=', until)
    .orderBy('at')
    .limit(FILES_AT_ONCE)
    .execute();
  let bytes = 0;
  return rows.flatMap(({ path, digest, size_bytes }, n) => {
    bytes += size_bytes;
    if (n > 0 && bytes > BYTES_AT_ONCE) return [];
    return [{ path, digest: checkedDigest(digest), sizeBytes: size_bytes }];
  });
}

function checkedDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new IngotError('integrity', 'a digest in the database of artifacts is damaged');
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
