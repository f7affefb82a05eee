import type { BlobStore } from '@ingot/core/blob/blob-store';
import { readIfPresent } from '@ingot/core/blob/bytes';
import { ownerOfRoot } from '@ingot/core/content/roots';
import { isIngotError } from '@ingot/core/errors';
import type { ArtifactContext } from './artifact-context.ts';

/** Kinds of roots that this room writes. */
export const ROOT_KINDS = ['artifacts', 'logged-models'] as const;

/** A root that no row names may be of an upload that still runs. */
const YOUNG_MS = 24 * 3600 * 1000;

/** Lets go of holdings that nothing needs any more: first the row, then the root. A collection takes the packs. */
export async function releaseHoldings(context: ArtifactContext, ids: readonly string[]): Promise<void> {
  for (const id of new Set(ids)) {
    const row = await context.database.own
      .deleteFrom('artifact_holdings')
      .where('id', '=', id)
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('artifact_nodes').select('path').where('holding', '=', id))),
      )
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('artifact_packages').select('source').where('holding', '=', id))),
      )
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('artifact_parts').select('number').where('holding', '=', id))),
      )
      .returning('root')
      .executeTakeFirst();
    if (row !== undefined) await removeRoot(context.store.blobs, row.root);
  }
}

/** Removes a root; who may write to the store and not delete keeps it. */
export async function removeRoot(blobs: BlobStore, key: string): Promise<void> {
  try {
    await blobs.delete(key);
  } catch (error) {
    if (!isIngotError(error, 'forbidden', 'refused')) throw error;
  }
}

/**
 * Removes roots of this server that no row names: what a server left that died between the store and its database.
 * @returns how many went.
 */
export async function sweepRoots({ store, database, owner, now }: ArtifactContext): Promise<number> {
  let gone = 0;
  for (const kind of ROOT_KINDS) {
    for await (const { key, modifiedAt } of store.blobs.list(`roots/${kind}/`)) {
      if (now().getTime() - modifiedAt.getTime() < YOUNG_MS) continue;
      const row = await database.own
        .selectFrom('artifact_holdings')
        .select('id')
        .where('root', '=', key)
        .executeTakeFirst();
      if (row !== undefined) continue;
      const bytes = await readIfPresent(store.blobs, key, {});
      if (bytes === undefined || ownerOfRoot(bytes, key) !== owner) continue;
      await removeRoot(store.blobs, key);
      gone += 1;
    }
  }
  return gone;
}
