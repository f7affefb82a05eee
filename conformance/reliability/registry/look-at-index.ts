import type { BlobStore } from '@ingot/core/blob/blob-store';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import type { Database } from '@ingot/registry/database/database';
import { rebuildIndex } from '@ingot/registry/index/rebuild';
import { indexRows } from '@ingot/registry/index/testing/index-rows';
import { fillVersionFiles } from '@ingot/registry/index/version-files';

/** Compares every row of an index with those of one that is rebuilt from the logs, in its place. */
export async function lookAtIndex(
  index: Database['index'],
  blobs: BlobStore,
): Promise<{ readonly rows: number; readonly failures: readonly string[] }> {
  const failures: string[] = [];
  // Names of files come into an index some time after the versions.
  const contents = createBlobContentStore(blobs);
  const fill = { index, contents, log: (_: string, message: string) => failures.push(message) };
  await fillVersionFiles(fill);
  const followed = await indexRows(index);
  const { problems } = await rebuildIndex({ index, blobs, now: () => new Date() });
  await fillVersionFiles(fill);
  failures.push(...problems.map(({ log, message }) => `rebuilding: ${log}: ${message}`));
  const rebuilt = await indexRows(index);
  let rows = 0;
  for (const [table, expected] of Object.entries(rebuilt)) {
    rows += expected.length;
    const extra = (followed[table] ?? []).filter((row) => !expected.includes(row));
    const missing = expected.filter((row) => !(followed[table] ?? []).includes(row));
    for (const row of extra) failures.push(`index: ${table} has ${row}, a rebuilt one does not`);
    for (const row of missing) failures.push(`index: ${table} lacks ${row}, a rebuilt one does not`);
  }
  return { rows, failures };
}
