import type { RecipeRef } from '@ingot/core/content/content-store';
import { recipesOf } from '../artifacts/artifact-rows.ts';
import type { BlobContext } from './blob-context.ts';
import type { RepositoryName } from './repository.ts';

/** From this size on it is worth looking whether earlier blobs have some of the bytes. */
const WORTH_LOOKING_BYTES = 1024 * 1024;
/** Newest large blobs of a repository that are compared, and how many of them are read. */
const COMPARED = 100;
const BLOBS = 4;
/** As many for each of many parts: what they list is read again for each. */
const BLOBS_OF_PART = 2;
const VERSIONS = 2;

/**
 * Chooses what a new blob may share contents with: of the newest large blobs of its repository those that are most like it
 * in size, for the next version of a file is about as large, and the newest versions of the model.
 * @param sizeBytes of the new blob; undefined: its sender does not say, and a few of the newest ones are taken.
 */
export async function basesOf(
  { database, recipes }: BlobContext,
  repository: RepositoryName,
  sizeBytes: number | undefined,
): Promise<readonly RecipeRef[]> {
  if (sizeBytes !== undefined && sizeBytes < WORTH_LOOKING_BYTES) return [];
  const rows = await database.own
    .selectFrom('oci_blobs')
    .select(['holding', 'size_bytes'])
    .where('repository', '=', repository)
    .where('holding', 'is not', null)
    .where('size_bytes', '>=', WORTH_LOOKING_BYTES)
    .orderBy('at', 'desc')
    .limit(COMPARED)
    .execute();
  const unlike = (size: number): number => (sizeBytes === undefined ? 0 : Math.abs(Math.log(size / sizeBytes)));
  const alike = [...rows]
    .sort((a, b) => unlike(a.size_bytes) - unlike(b.size_bytes))
    .slice(0, sizeBytes === undefined ? BLOBS_OF_PART : BLOBS);
  const [blobs, versions] = await Promise.all([
    recipesOf(
      database.own,
      alike.flatMap(({ holding }) => holding ?? []),
    ),
    recipes?.newest(repository, sizeBytes === undefined ? 1 : VERSIONS) ?? [],
  ]);
  return [...blobs, ...versions];
}
