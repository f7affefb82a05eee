import { link, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { uptime } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Digest, digestOf } from './digest.ts';
import { IngotError, isIngotError, systemErrorCode } from './errors.ts';
import { makeDirectory } from './make-directory.ts';
import { type Arrival, beginArrival, claimArrival } from './package/arrival.ts';
import { whyUnsafePath } from './package/paths.ts';
import { diskError } from './package/unpack.ts';
import type { OnProgress } from './progress.ts';
import type { SourceMatch } from './source/source-match.ts';
import { siblingsOf } from './source/siblings.ts';
import type { SourceFileFacts, SourcePlace } from './source/place.ts';

/** Where the files of a match lie on this machine; disposing it removes what was made for that. */
export interface BroughtSource extends AsyncDisposable {
  /** A file or directory that reading a package takes. */
  readonly path: string;
}

/** Options of {@link bringSource}. */
export interface BringOptions {
  /** Where downloads are made; what was cut short is left there and goes on with the next call. */
  readonly directory: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

const PARALLEL = 8;
const SUFFIX = '.bringing';
/** A download that nobody has worked on for so long is not gone on with any more. */
const ABANDONED_MS = 24 * 3_600_000;

/**
 * Brings the files of a match to this machine. What lies here already is taken where it is; what does not is downloaded,
 * several files at a time, and a download that was interrupted goes on where it was.
 * @throws IngotError `source-changed` when a file is not what was found, `invalid-package` for a name that cannot be a
 * file's, `disk-full`, and as the storage does.
 */
export async function bringSource(
  match: SourceMatch,
  place: SourcePlace,
  options: BringOptions,
): Promise<BroughtSource> {
  const siblings = match.kind === 'file' ? await siblingsOf(match.path, place, options) : [];
  const here = place.localPath?.(match.path);
  if (here !== undefined && siblings.length === 0) return { path: here, [Symbol.asyncDispose]: async () => {} };
  const wanted = [
    ...match.files.map((facts) => ({ facts, as: nameInPackage(match, facts) })),
    ...siblings.map(({ facts, as }) => ({ facts, as: `${baseOf(match)}/${as}` })),
  ];
  return await download(match, place, wanted, options);
}

interface Wanted {
  readonly facts: SourceFileFacts;
  /** Path below the download's directory. */
  readonly as: string;
}

/** Everything lies in one directory, named as the match is. */
function nameInPackage(match: SourceMatch, facts: SourceFileFacts): string {
  const below =
    match.kind === 'file' ? basename(match.path) : facts.path.slice(match.path === '' ? 0 : match.path.length + 1);
  const unsafe = whyUnsafePath(below);
  if (unsafe === undefined) return `${baseOf(match)}/${below}`;
  throw new IngotError('invalid-package', `"${below}" in ${match.location} cannot be a file here: ${unsafe}`);
}

function baseOf({ path, name }: SourceMatch): string {
  const base = basename(path);
  return base === '' || whyUnsafePath(base) !== undefined ? name : base;
}

async function download(
  match: SourceMatch,
  place: SourcePlace,
  wanted: readonly Wanted[],
  options: BringOptions,
): Promise<BroughtSource> {
  const identity = digestOf(`${place.address}\n${match.location}\n${match.revision}`);
  await makeDirectory(options.directory, { mode: 0o700 });
  await sweep(options.directory);
  const arrival = await begin(options.directory, identity);
  const own = arrival.path;
  try {
    await each(wanted, PARALLEL, (file) => fetchFile(file, place, match, own, options));
  } catch (error) {
    arrival[Symbol.dispose]();
    throw diskError(error, options.directory, 'source.download');
  }
  const alone = match.kind === 'file' && wanted.length === 1;
  return {
    path: join(own, alone ? (wanted[0]?.as ?? '') : baseOf(match)),
    [Symbol.asyncDispose]: async () => {
      await rm(own, { recursive: true, force: true });
      arrival[Symbol.dispose]();
    },
  };
}

/** Goes on with a download of the same bytes that failed, or that a dead process left; or begins one. */
async function begin(directory: string, wanted: Digest): Promise<Arrival> {
  const place = { parent: directory, prefix: '.', suffix: SUFFIX, now: () => new Date() };
  const claimed = await claimArrival(place, wanted, { mode: 0o700 });
  return claimed === 'busy' ? await beginArrival(place, wanted, { mode: 0o700 }) : claimed;
}

async function fetchFile(
  { facts, as }: Wanted,
  place: SourcePlace,
  match: SourceMatch,
  directory: string,
  { signal, onProgress }: BringOptions,
): Promise<void> {
  const path = join(directory, as);
  await makeDirectory(dirname(path), { mode: 0o700 });
  const local = place.localPath?.(facts.path);
  if (local !== undefined && (await linked(local, path))) return;
  const part = `${path}.part`;
  if ((await writtenBytes(path)) === facts.sizeBytes) return;
  const start = Math.min((await writtenBytes(part)) ?? 0, facts.sizeBytes);
  let doneBytes = start;
  const objectVersion = match.address.objectVersion ?? facts.objectVersion;
  const reading = { ...(signal && { signal }), ...(objectVersion !== undefined && { objectVersion }), start };
  const file = await open(part, 'a', 0o600);
  try {
    if (start === facts.sizeBytes) signal?.throwIfAborted();
    else
      for await (const piece of place.read(facts.path, reading)) {
        signal?.throwIfAborted();
        doneBytes += piece.length;
        if (doneBytes > facts.sizeBytes) throw changed(facts.path);
        await file.writeFile(piece);
        onProgress?.({ phase: 'fetch', path: facts.path, doneBytes, totalBytes: facts.sizeBytes });
      }
  } catch (error) {
    throw signal?.aborted === true ? interrupted(facts.path, error) : error;
  } finally {
    await file.close();
  }
  if (doneBytes !== facts.sizeBytes) throw changed(facts.path);
  await refuseChanged(facts, place, objectVersion, signal, part);
  await rename(part, path);
}

/** A storage without versions may have given bytes of a file that was replaced half-way. */
async function refuseChanged(
  facts: SourceFileFacts,
  place: SourcePlace,
  objectVersion: string | undefined,
  signal: AbortSignal | undefined,
  part: string,
): Promise<void> {
  if (objectVersion !== undefined) return;
  const now = await place.file(facts.path, signal === undefined ? {} : { signal });
  if (now?.revision === facts.revision) return;
  await rm(part, { force: true });
  throw changed(facts.path);
}

function changed(path: string): IngotError {
  return new IngotError('source-changed', `${path} changed while it was fetched`, {
    operation: 'source.download',
    retryable: true,
    hint: 'run the same command again',
  });
}

function interrupted(path: string, cause: unknown): IngotError {
  return isIngotError(cause, 'interrupted')
    ? cause
    : new IngotError('interrupted', `fetching ${path} was interrupted`, { cause });
}

/** The same file system can name a file twice; a copy is needed elsewhere. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EEXIST';
  }
}

/** How much of a file was written. What is older than the system's last start may never have reached the disk: it goes. */
async function writtenBytes(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.mtimeMs > Date.now() - uptime() * 1000) return found?.size;
  await rm(path, { force: true });
  return undefined;
}

/** Removes what processes left that died long ago. */
async function sweep(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => []);
  for (const name of names) {
    const found = name.endsWith(SUFFIX) ? await stat(join(directory, name)).catch(() => undefined) : undefined;
    if (found === undefined || Date.now() - found.mtimeMs < ABANDONED_MS) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** Works on all items, a few at a time; the first failure ends it. */
async function each<T>(items: readonly T[], parallel: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const item = items[next++];
      if (item === undefined) return;
      await work(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(parallel, items.length) }, worker));
  const reason = outcomes.find((outcome) => outcome.status === 'rejected');
  if (reason !== undefined) throw reason.reason;
}
