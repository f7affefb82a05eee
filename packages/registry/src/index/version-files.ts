import type { ContentReader, Recipe } from '@ingot/core/content/content-store';
import { isIngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { Log } from '../services.ts';
import { insertRows, storable } from './insert-rows.ts';
import type { VersionFileRow } from './tables.ts';
import type { StoredRecord } from './version-rows.ts';

/** What filling in files works with. */
export interface VersionFilesOptions {
  readonly index: Kysely<IndexTables>;
  readonly contents: Pick<ContentReader, 'openRecipe'>;
  readonly log: Log;
}

const VERSIONS_AT_ONCE = 50;

/** `files_known` of a version whose recipe cannot be read: it is not tried again. */
export const UNREADABLE = 2;

/**
 * Writes the files of versions into the index: the events name only recipes, so they are read afterwards, the newest
 * first. Ends when all are known, or the store does not answer. Says how many it has read.
 */
export async function fillVersionFiles(options: VersionFilesOptions, isEnded: () => boolean = () => false) {
  let count = 0;
  for (;;) {
    const rows = await options.index
      .selectFrom('versions')
      .select('record')
      .where('files_known', '=', 0)
      .orderBy('published_at', 'desc')
      .limit(VERSIONS_AT_ONCE)
      .execute();
    for (const row of rows) {
      if (isEnded()) return count;
      const record: StoredRecord = JSON.parse(row.record);
      if (!(await fill(options, record))) return count;
      count += 1;
      // Requests come first.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (rows.length < VERSIONS_AT_ONCE) return count;
  }
}

/** Says whether to go on: not when the store is away. */
async function fill({ index, contents, log }: VersionFilesOptions, record: StoredRecord): Promise<boolean> {
  const { modelId, number, recipe, status } = record;
  // The contents of deleted versions may be gone.
  if (status === 'deleted') return known(index, record, [], 1);
  try {
    return await known(index, record, filesOf(await contents.openRecipe(recipe), record), 1);
  } catch (error) {
    if (!isIngotError(error)) throw error;
    if (error.retryable || error.code === 'unavailable') return false;
    log('warn', `the files of version ${number} of ${modelId} are not searchable: ${error.message}`, {
      code: error.code,
    });
    return known(index, record, [], UNREADABLE);
  }
}

function filesOf({ contents }: Recipe, { modelId, number }: StoredRecord): VersionFileRow[] {
  const rows = contents.flatMap(({ role, path, digest, sizeBytes }) =>
    role === 'file' && path !== undefined
      ? [{ model_id: modelId, number, path: storable(path), digest, size_bytes: sizeBytes }]
      : [],
  );
  return [...new Map(rows.map((row) => [row.path, row])).values()];
}

async function known(
  index: Kysely<IndexTables>,
  { modelId, number }: StoredRecord,
  files: readonly VersionFileRow[],
  as: number,
): Promise<true> {
  await index.transaction().execute(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('versions')
      .set({ files_known: as })
      .where('model_id', '=', modelId)
      .where('number', '=', number)
      .where('files_known', '=', 0)
      .executeTakeFirst();
    // Another server may have been faster.
    if (numUpdatedRows === 1n) await insertRows(transaction, 'version_files', files);
  });
  return true;
}

const AFTER_START_MS = 1000;
const AFTER_EVENT_MS = 300;
const AGAIN_AFTER_MS = 5 * 60_000;

/** Keeps files filled in: soon after `nudge`, and now and then. Disposing it waits for the version under way. */
export interface FilesFilling extends AsyncDisposable {
  nudge(): void;
}

/** Begins to fill in files, a second from now. */
export function keepFilling(options: VersionFilesOptions): FilesFilling {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isEnded = false;

  function later(delayMs: number): void {
    clearTimeout(timer);
    if (isEnded) return;
    timer = setTimeout(run, delayMs);
    timer.unref();
  }

  function run(): void {
    running ??= fillVersionFiles(options, () => isEnded)
      .then(() => {})
      .catch((error: unknown) => options.log('warn', `files are not filled in now: ${String(error)}`))
      .finally(() => {
        running = undefined;
        later(AGAIN_AFTER_MS);
      });
  }

  later(AFTER_START_MS);
  return {
    nudge: () => later(AFTER_EVENT_MS),
    async [Symbol.asyncDispose]() {
      isEnded = true;
      clearTimeout(timer);
      await running;
    },
  };
}
