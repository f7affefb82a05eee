import type { BlobStore } from '@ingot/core/blob/blob-store';
import { readIfPresent } from '@ingot/core/blob/bytes';
import { ownerOfRoot } from '@ingot/core/content/roots';
import { isIngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { OwnTables } from '../database/own-tables.ts';
import type { ArtifactContext } from './artifact-context.ts';

/** Kinds of roots that holdings have. */
export const ROOT_KINDS = ['artifacts', 'logged-models', 'oci'] as const;

/** What letting go of holdings works with. */
export type HoldingContext = Pick<ArtifactContext, 'store' | 'database'>;

/** A root that no row names may be of an upload that still runs. */
const YOUNG_MS = 24 * 3600 * 1000;

/** Lets go of holdings that nothing needs any more: first the row, then the root. A collection takes the packs. */
export async function releaseHoldings(context: HoldingContext, ids: readonly string[]): Promise<void> {
  const { own } = context.database;
  for (const id of new Set(ids)) {
    if (await isHeld(own, id)) continue;
    const row = await own.transaction().execute(async (transaction) => {
      // Whoever gives it another use meanwhile is waited for, or finds it gone.
      if (!(await lockHolding(transaction, id)) || (await isHeld(transaction, id))) return undefined;
      return await transaction
        .deleteFrom('artifact_holdings')
        .where('id', '=', id)
        .returning('root')
        .executeTakeFirst();
    });
    if (row !== undefined) await removeRoot(context.store.blobs, row.root);
  }
}

/** Keeps a holding from being let go until the transaction ends, so that it can be given another use. False: it is gone. */
export async function lockHolding(own: Kysely<OwnTables>, id: string): Promise<boolean> {
  const row = await own
    .updateTable('artifact_holdings')
    .set(({ ref }) => ({ at: ref('at') }))
    .where('id', '=', id)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** What may have its bytes in a holding. */
const HOLDERS = ['artifact_nodes', 'artifact_packages', 'artifact_parts', 'oci_blobs', 'oci_upload_parts'] as const;

async function isHeld(own: Kysely<OwnTables>, id: string): Promise<boolean> {
  for (const table of HOLDERS) {
    const row = await own.selectFrom(table).select('holding').where('holding', '=', id).limit(1).executeTakeFirst();
    if (row !== undefined) return true;
  }
  return false;
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
