import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ContentReader, RecipeRef } from '../content/content-store.ts';
import type { LocalContents } from '../content/local-contents.ts';
import { IngotError, isIngotError, systemErrorCode } from '../errors.ts';
import { makeDirectory } from '../make-directory.ts';
import type { OnProgress } from '../progress.ts';
import { type Arrival, type ArrivalPlace, claimArrival } from './arrival.ts';
import { ArrivalJournal } from './arrival-journal.ts';
import type { CacheKey } from './cache.ts';
import { writeRecord } from './cache-record.ts';
import { writeCaptured } from './cached-package.ts';
import { openPageNotes } from './page-notes.ts';
import type { StoredPackage } from './stored-package.ts';
import { type Unpacked, unpackPackage } from './unpack.ts';

/** How often a process that waits for another one's package looks for it. */
const LOOK_MS = 200;
const JOURNAL = 'journal';

/** What an arrival is made from. */
export interface ArriveInput {
  readonly key: CacheKey & { readonly recipe: RecipeRef };
  readonly stored: StoredPackage;
  readonly contents: ContentReader;
  readonly local: LocalContents;
  readonly now: () => Date;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Waits for a place to make a package in; undefined when another process has made it meanwhile. */
export async function awaitPlace(
  place: ArrivalPlace,
  key: CacheKey,
  isThere: () => Promise<boolean>,
  signal: AbortSignal | undefined,
): Promise<Arrival | undefined> {
  await makeDirectory(place.parent, { mode: 0o700 });
  for (;;) {
    const claimed = await claimArrival(place, key.manifest, { mode: 0o700 });
    if (claimed !== 'busy') return await unlessThere(claimed, isThere);
    await setTimeout(LOOK_MS, undefined, signal && { signal }).catch(() => undefined);
    if (signal?.aborted === true)
      throw new IngotError('interrupted', 'pull was interrupted', { operation: 'cache.fetch', cause: signal.reason });
    if (await isThere()) return undefined;
  }
}

/** Whoever made the package may have ended between the last look for it and the claim. */
async function unlessThere(arrival: Arrival, isThere: () => Promise<boolean>): Promise<Arrival | undefined> {
  if (!(await isThere())) return arrival;
  arrival[Symbol.dispose]();
  await rm(arrival.path, { recursive: true, force: true });
  return undefined;
}

/**
 * Makes a package in an arrival, with everything but its final name. What was brought stays for the next call when the
 * network or the user ended this one; after other failures nothing does.
 */
export async function arrive(arrival: Arrival, input: ArriveInput): Promise<Unpacked> {
  try {
    return await fill(arrival.path, input);
  } catch (error) {
    if (!canGoOn(error)) await rm(arrival.path, { recursive: true, force: true });
    throw error;
  }
}

/** Whether a pull that failed so may be gone on with where it was. */
export function canGoOn(error: unknown): boolean {
  return isIngotError(error, 'interrupted', 'unavailable', 'timeout', 'overloaded');
}

async function fill(directory: string, input: ArriveInput): Promise<Unpacked> {
  const { key, stored, contents, local, now, signal, onProgress } = input;
  const files = join(directory, 'files');
  await mkdir(files, { mode: 0o700 }).catch(tolerateThere);
  await using notes = await openPageNotes(directory, stored.recipe);
  const unpacked = await journaled(directory, (journal) =>
    unpackPackage(contents, stored, files, {
      journal,
      sources: local,
      known: local,
      onPage: notes.onPage,
      without: 0o222,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    }),
  );
  await notes.finish();
  await rm(join(directory, JOURNAL));
  await writeFile(join(directory, 'manifest.json'), stored.manifest, { flush: true });
  await writeFile(join(directory, 'config.json'), stored.config, { flush: true });
  await writeFile(join(directory, 'used'), '');
  await writeCaptured(directory, stored);
  const fetchedAt = now().toISOString();
  await writeRecord(directory, {
    format: 1,
    manifest: key.manifest,
    model: key.model,
    sizeBytes: unpacked.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    fetchedAt,
    verifiedAt: fetchedAt,
    files: unpacked.files,
    recipes: { [key.recipe.digest]: stored.captured?.digest ?? null },
  });
  return unpacked;
}

/** Gives a journal that lies in a directory to some work. */
export async function journaled<T>(directory: string, work: (journal: ArrivalJournal) => Promise<T>): Promise<T> {
  await using journal = await ArrivalJournal.open(join(directory, JOURNAL));
  return await work(journal);
}

/** An interrupted call made it. */
function tolerateThere(error: unknown): void {
  if (systemErrorCode(error) !== 'EEXIST') throw error;
}
