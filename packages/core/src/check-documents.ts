import { readIfPresent } from './blob/bytes.ts';
import { RESTORE_IT } from './check-report.ts';
import type { CheckRun } from './check-run.ts';
import { parseCondemnedList, parseRoot, parseUploadRoot } from './content/roots.ts';
import { openStore, STORE_FORMAT_KEY } from './content/store-format.ts';
import { movedKey, parseMoved } from './content/sweep/moved.ts';
import { isIngotError } from './errors.ts';
import { lostItsSum } from './sum.ts';

const ROOT_ENTRIES = ['format', 'upload', 'modelId', 'at', 'packs', 'run'];
const NO_RELEASE = 'holds an entry that no release writes';

/**
 * Checks `ingot.json`.
 * @throws IngotError as {@link openStore} does, but for `integrity`, which is noted.
 */
export async function checkFormat(run: CheckRun): Promise<void> {
  const note = (message: string): void =>
    run.note({ key: STORE_FORMAT_KEY, sort: 'store', message, repair: RESTORE_IT });
  try {
    await openStore(run.blobs, run.call);
  } catch (error) {
    if (!isIngotError(error, 'integrity')) throw error;
    return note(error.message);
  }
  const bytes = await readIfPresent(run.blobs, STORE_FORMAT_KEY, run.call);
  const known = ['format', 'id', 'created', 'chunker', 'sealed', 'governed', 'follows'];
  if (bytes !== undefined && lostItsSum(JSON.parse(String(bytes)), known)) note(NO_RELEASE);
}

/** Checks the roots. Gives the packs that those name which can be read, with the root's key. */
export async function checkRoots(run: CheckRun): Promise<ReadonlyMap<string, string>> {
  const named = new Map<string, string>();
  for await (const { key } of run.blobs.list('roots/', run.call)) {
    const read = key.startsWith('roots/uploads/')
      ? (bytes: Uint8Array) => parseUploadRoot(bytes, key).packs
      : (bytes: Uint8Array) => parseRoot(bytes, key);
    const repair = `delete ${key} once nothing is being pushed that could have written it`;
    for (const pack of (await checkDocument(run, key, { read, known: ROOT_ENTRIES, repair })) ?? [])
      named.set(pack, key);
    run.remark('roots of pushes and collections in flight, or abandoned', 1);
  }
  return named;
}

/** Checks the lists of collections. */
export async function checkLists(run: CheckRun): Promise<void> {
  for await (const { key } of run.blobs.list('gc/', run.call)) {
    const read = (bytes: Uint8Array) => parseCondemnedList(bytes, key);
    await checkDocument(run, key, { read, known: ['format', 'packs', 'moved'], repair: 'ingot gc' });
    run.remark('lists of collections at work, or cut short (`ingot gc` finishes them)', 1);
  }
}

/** Checks the moved files of some packs, and gives those packs whose file is sound. */
export async function checkMovedFiles(run: CheckRun, packs: Iterable<string>): Promise<readonly string[]> {
  const sound: string[] = [];
  for (const pack of packs) {
    const key = movedKey(pack);
    await checkDocument(run, key, { read: (bytes) => parseMoved(bytes, key), known: [], repair: RESTORE_IT });
    if (!run.isDamaged(key)) sound.push(pack);
  }
  return sound;
}

interface DocumentRules<T> {
  /** Throws `integrity`. */
  readonly read: (bytes: Uint8Array) => T;
  /** All entries that releases write, where a lost sum would be noticed by nothing else. */
  readonly known: readonly string[];
  readonly repair: string;
}

async function checkDocument<T>(run: CheckRun, key: string, rules: DocumentRules<T>): Promise<T | undefined> {
  const { read, known, repair } = rules;
  const bytes = await readIfPresent(run.blobs, key, run.call);
  if (bytes === undefined) return undefined;
  try {
    const document = read(bytes);
    if (known.length === 0 || !lostItsSum(JSON.parse(String(bytes)), known)) return document;
    run.note({ key, sort: 'care', message: NO_RELEASE, repair });
  } catch (error) {
    if (!isIngotError(error, 'integrity')) throw error;
    run.note({ key, sort: 'care', message: error.message, repair });
  }
  return undefined;
}
