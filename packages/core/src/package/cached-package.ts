import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Capture } from '../capture.ts';
import type { Digest } from '../digest.ts';
import { isIngotError, systemErrorCode } from '../errors.ts';
import type { ServablePackage } from '../serving/runtime.ts';
import type { CachedPackage, CacheKey } from './cache.ts';
import { type CacheRecord, readRecord, writeRecord } from './cache-record.ts';
import { readCapture } from './captured.ts';
import { fileContents } from './file-contents.ts';
import { compareMarks, markOf } from './file-marks.ts';
import { parseManifest } from './manifest-read.ts';
import type { PackageDescription } from './package.ts';
import type { StoredPackage } from './stored-package.ts';
import { verifyFiles } from './verify-files.ts';

/** A cached package, its record, and whether what was captured for the wanted version is here. */
export interface OpenedPackage {
  readonly record: CacheRecord;
  readonly cached: CachedPackage;
  readonly recipeKnown: boolean;
}

/**
 * Opens a package of the cache: a look at sizes, times and inodes. Only files whose inode or change time is another one,
 * after a copy or a new link, are read. Undefined when it is not here whole.
 */
export async function openCachedPackage(place: string, key: CacheKey): Promise<OpenedPackage | undefined> {
  const noted = await readRecord(place);
  if (noted === undefined || noted.manifest !== key.manifest) return undefined;
  const directory = join(place, 'files');
  const record = await recognise(place, noted);
  if (record === undefined) return undefined;
  const known = key.recipe === undefined ? undefined : record.recipes[key.recipe.digest];
  const captured = known === undefined ? (Object.values(record.recipes).at(-1) ?? null) : known;
  try {
    const capture = captured === null ? undefined : readCapture(await readFile(join(place, capturedName(captured))));
    const contents = fileContents(record.files);
    const description = parseManifest(await readFile(join(place, 'manifest.json')), {
      expected: key.manifest,
      contents,
      captured: capture,
    });
    const cached = {
      manifest: key.manifest,
      directory,
      sizeBytes: record.sizeBytes,
      description,
      ...(capture === undefined ? {} : { captured: capture }),
      servable: toServable(description, directory, capture),
    };
    return { record, cached, recipeKnown: key.recipe === undefined || known !== undefined };
  } catch (error) {
    // Damaged documents make it no package; it is fetched again.
    if (isIngotError(error) || systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The record of a package whose files are all those it names, brought up to date; undefined when one is not. */
async function recognise(place: string, record: CacheRecord): Promise<CacheRecord | undefined> {
  const directory = join(place, 'files');
  const states = await compareMarks(directory, record.files);
  if (states.includes('other')) return undefined;
  const touched = record.files.filter((_, n) => states[n] === 'touched');
  if (touched.length === 0) return record;
  // Marks are taken before the bytes are read: a change meanwhile is seen the next time.
  const files = record.files.map((file, n) =>
    states[n] === 'touched' ? { ...file, ...markOf(join(directory, file.path)) } : file,
  );
  if ((await verifyFiles(directory, touched)).length > 0) return undefined;
  const renewed = { ...record, files };
  // Tolerated: a read-only cache still serves; it only looks again the next time.
  await writeRecord(place, renewed).catch(() => undefined);
  return renewed;
}

function capturedName(digest: Digest): string {
  return `captured-${digest.slice('sha256:'.length)}.json`;
}

/** Writes what was captured for a version beside its files, whole or not at all. */
export async function writeCaptured(place: string, { captured }: StoredPackage): Promise<void> {
  if (captured === undefined) return;
  const temporary = join(place, `.captured-${randomBytes(8).toString('hex')}`);
  await writeFile(temporary, captured.bytes, { flush: true });
  await rename(temporary, join(place, capturedName(captured.digest)));
}

/** Puts a described package and its directory together as runtimes want them. */
export function toServable(description: PackageDescription, directory: string, captured?: Capture): ServablePackage {
  const {
    manifest,
    flavor,
    interfacePath,
    artifactPath,
    signature,
    requirements,
    pythonVersion,
    setupPath,
    environmentVariables,
  } = description;
  return {
    directory,
    manifest,
    flavor,
    interfacePath,
    artifactPath,
    signature,
    requirements,
    pythonVersion,
    setupPath,
    environmentVariables,
    description: description.description,
    example: captured?.example,
    ...lockOf(captured),
  };
}

function lockOf(captured: Capture | undefined): Pick<ServablePackage, 'lock'> {
  const { lock, python, platform } = captured?.environment ?? {};
  if (lock === undefined || lock.length === 0) return {};
  return {
    lock: { lines: lock, ...(python !== undefined && { python }), ...(platform !== undefined && { platform }) },
  };
}
