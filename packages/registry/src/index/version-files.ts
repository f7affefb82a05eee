import type { ContentReader, Recipe } from '@ingot/core/content/content-store';
import { type IngotError, isIngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { Log } from '../services.ts';
import { insertRows } from './insert-rows.ts';
import { storable } from './storable.ts';
import type { VersionFileRow } from './tables.ts';
import type { StoredRecord } from './version-rows.ts';

/** What filling in files works with. */
export interface VersionFilesOptions {
  readonly index: Kysely<IndexTables>;
  readonly contents: Pick<ContentReader, 'openRecipe'>;
  readonly log: Log;
}

const VERSIONS_AT_ONCE = 10;

/** `files_known` of a version whose recipe cannot be read: it is not tried again. */
export const UNREADABLE = 2;

/**
 * Writes the files of versions into the index: the events name only recipes, so they are read afterwards, the newest
 * first. Ends when all are known, or the store does not answer. Says how many it has read.
 */
export async function fillVersionFiles(
  options: VersionFilesOptions,
  isEnded: () => boolean = () => false,
): Promise<number> {
  let [count, unreadable] = [0, 0];
  for (
    let records = await nextVersions(options.index);
    records.length > 0;
    records = await nextVersions(options.index)
  ) {
    const known: KnownFiles[] = [];
    let isAway = false;
    for (const record of records) {
      const outcome = isEnded() ? 'away' : await filesOfVersion(options.contents, record);
      isAway = outcome === 'away';
      if (outcome === 'away') break;
      known.push(outcome);
      if (outcome.error === undefined) continue;
      // The first says what is wrong; a store that lost much would fill the log.
      if (unreadable === 0) tell(options.log, record, outcome.error);
      unreadable += 1;
    }
    await setKnown(options.index, known);
    count += known.length;
    if (isAway) return count;
  }
  if (unreadable > 1)
    options.log('warn', `the files of ${unreadable} versions are not searchable: ingot check says more`);
  return count;
}

async function nextVersions(index: Kysely<IndexTables>): Promise<StoredRecord[]> {
  // Requests come first.
  await new Promise((resolve) => setImmediate(resolve));
  const rows = await index
    .selectFrom('versions')
    .select('record')
    .where('files_known', '=', 0)
    .orderBy('published_at', 'desc')
    .limit(VERSIONS_AT_ONCE)
    .execute();
  return rows.map(({ record }): StoredRecord => JSON.parse(record));
}

function tell(log: Log, { modelId, number }: StoredRecord, { message, code }: IngotError): void {
  log('warn', `the files of version ${number} of ${modelId} are not searchable: ${message}`, { code });
}

/** What is known of the files of a version: which they are, or why they cannot be read. */
interface KnownFiles {
  readonly record: StoredRecord;
  readonly files: readonly VersionFileRow[];
  readonly error?: IngotError;
}

/** Reads the files of a version; `away`: the store does not answer. */
async function filesOfVersion(
  contents: VersionFilesOptions['contents'],
  record: StoredRecord,
): Promise<KnownFiles | 'away'> {
  try {
    // The contents of deleted versions may be gone.
    return {
      record,
      files: record.status === 'deleted' ? [] : filesOf(await contents.openRecipe(record.recipe), record),
    };
  } catch (error) {
    if (!isIngotError(error)) throw error;
    if (error.retryable || error.code === 'unavailable') return 'away';
    return { record, files: [], error };
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

async function setKnown(index: Kysely<IndexTables>, known: readonly KnownFiles[]): Promise<void> {
  if (known.length === 0) return;
  await index.transaction().execute(async (transaction) => {
    for (const { record, files, error } of known) {
      const { numUpdatedRows } = await transaction
        .updateTable('versions')
        .set({ files_known: error === undefined ? 1 : UNREADABLE })
        .where('model_id', '=', record.modelId)
        .where('number', '=', record.number)
        .where('files_known', '=', 0)
        .executeTakeFirst();
      // Another server may have been faster.
      if (numUpdatedRows === 1n) await insertRows(transaction, 'version_files', files);
    }
  });
}

const RECIPES_KEPT = 8;
const LARGEST_KEPT = 2000;

/** Reads no recipe again that versions in a row share. */
function remembering(contents: VersionFilesOptions['contents']): VersionFilesOptions['contents'] {
  const known = new Map<string, Recipe>();
  return {
    async openRecipe(ref, options) {
      const key = `${ref.digest} ${ref.pack} ${ref.offset}`;
      const before = known.get(key);
      if (before !== undefined) return before;
      const recipe = await contents.openRecipe(ref, options);
      if (recipe.contents.length > LARGEST_KEPT) return recipe;
      known.set(key, recipe);
      const [oldest] = known.keys();
      if (known.size > RECIPES_KEPT && oldest !== undefined) known.delete(oldest);
      return recipe;
    },
  };
}

const AFTER_START_MS = 1000;
const AFTER_EVENT_MS = 300;
const AGAIN_AFTER_MS = 5 * 60_000;

/** Keeps files filled in: soon after `nudge`, and now and then. Disposing it waits for the version under way. */
export interface FilesFilling extends AsyncDisposable {
  nudge(): void;
}

/** Begins to fill in files, a second from now. */
export function keepFilling(given: VersionFilesOptions): FilesFilling {
  const options = { ...given, contents: remembering(given.contents) };
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
