import { digestOf } from '@ingot/core/digest';
import { isOciDigest } from '@ingot/core/oci/digest';
import { newId } from '../artifacts/artifact-context.ts';
import { removeRoot } from '../artifacts/holdings.ts';
import { type BlobContext, keptDigest } from './blob-context.ts';
import type { PushedBlobs } from './pushed-blobs.ts';
import { parseRepository } from './repository.ts';

/** Blobs of one round. */
const AT_ONCE = 200;
const BYTES_AT_ONCE = 16 * 1024 * 1024;

/** A blob that no manifest names goes when nobody has asked for it for so long: until then its manifest may be on its way. */
const UNNAMED_MS = 7 * 24 * 3600 * 1000;
const LOOKED_AT = 500;

/**
 * Moves staged blobs into packs, the oldest first, one round of a few hundred.
 * @param until those that came at or before this. ISO 8601, UTC.
 * @returns how many were moved.
 */
export async function packStagedBlobs(context: BlobContext, until: string): Promise<number> {
  const { store, database, owner, now } = context;
  const blobs = await oldest(context, until);
  if (blobs.length === 0) return 0;
  const id = newId(context);
  await using upload = await store.contents.openUpload({ keptAs: { kind: 'oci', id, owner } });
  for (const { bytes, content } of blobs) {
    const sizeBytes = bytes.byteLength;
    await upload.put({
      role: 'file',
      path: content.slice('sha256:'.length),
      digest: content,
      sizeBytes,
      open: () => once(bytes),
    });
  }
  const { recipe, root = '' } = await upload.seal();
  const moved = await database.own.transaction().execute(async (own) => {
    let count = 0;
    for (const { repository, digest } of blobs) {
      const { numUpdatedRows } = await own
        .updateTable('oci_blobs')
        .set({ holding: id, bytes: null })
        .where('repository', '=', repository)
        .where('digest', '=', digest)
        .where('holding', 'is', null)
        .executeTakeFirst();
      count += Number(numUpdatedRows);
    }
    const row = { id, recipe: JSON.stringify(recipe), root, at: now().toISOString() };
    if (count > 0) await own.insertInto('artifact_holdings').values(row).execute();
    return count;
  });
  if (moved === 0) await removeRoot(store.blobs, root);
  await upload.release();
  return moved;
}

/** How many bytes are staged. */
export async function stagedBlobBytes({ database }: BlobContext): Promise<number> {
  const row = await database.own
    .selectFrom('oci_blobs')
    .select(({ fn }) => fn.sum<number | string | null>('size_bytes').as('total'))
    .where('holding', 'is', null)
    .executeTakeFirst();
  return Number(row?.total ?? 0);
}

/**
 * Lets go of blobs that no manifest of their repository names, and that nobody has pushed or asked for in a week.
 * @returns how many went.
 */
export async function sweepUnnamed(context: BlobContext, blobs: PushedBlobs): Promise<number> {
  const { database, references, now } = context;
  const before = new Date(now().getTime() - UNNAMED_MS).toISOString();
  let [gone, after] = [0, { repository: '', digest: '' }];
  for (;;) {
    const rows = await database.own
      .selectFrom('oci_blobs')
      .select(['repository', 'digest'])
      .where('at', '<', before)
      .where(({ or, and, eb }) =>
        or([
          eb('repository', '>', after.repository),
          and([eb('repository', '=', after.repository), eb('digest', '>', after.digest)]),
        ]),
      )
      .orderBy('repository')
      .orderBy('digest')
      .limit(LOOKED_AT)
      .execute();
    for (const { repository, digest } of rows) {
      after = { repository, digest };
      const name = parseRepository(repository);
      if (!isOciDigest(digest) || (await references.isReferenced(name, digest))) continue;
      if (await blobs.drop(name, digest, before)) gone += 1;
    }
    if (rows.length < LOOKED_AT) return gone;
  }
}

async function oldest({ database }: BlobContext, until: string) {
  const rows = await database.own
    .selectFrom('oci_blobs')
    .select(['repository', 'digest', 'content', 'bytes'])
    .where('holding', 'is', null)
    .where('at', '<=', until)
    .orderBy('at')
    .limit(AT_ONCE)
    .execute();
  let total = 0;
  return rows.flatMap(({ repository, digest, content, bytes }, n) => {
    total += bytes?.byteLength ?? 0;
    // What is damaged stays where it is, and is told of when it is read.
    if (bytes === null || digestOf(bytes) !== content || (n > 0 && total > BYTES_AT_ONCE)) return [];
    return [{ repository, digest, content: keptDigest(content), bytes }];
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
