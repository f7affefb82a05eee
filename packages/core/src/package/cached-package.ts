import { randomBytes } from 'node:crypto';
import { lstat, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Capture } from '../capture.ts';
import type { Digest } from '../digest.ts';
import { isIngotError, systemErrorCode } from '../errors.ts';
import type { ServablePackage } from '../serving/runtime.ts';
import type { CachedPackage, CacheKey } from './cache.ts';
import { type CacheRecord, readRecord } from './cache-record.ts';
import { readCapture } from './captured.ts';
import { parseManifest } from './manifest-read.ts';
import type { PackageDescription } from './package.ts';
import type { StoredPackage } from './stored-package.ts';

/** A cached package, its record, and whether what was captured for the wanted version is here. */
export interface OpenedPackage {
  readonly record: CacheRecord;
  readonly cached: CachedPackage;
  readonly recipeKnown: boolean;
}

/** Opens a package of the cache: a look at sizes and times, no hashing. Undefined when it is not here whole. */
export async function openCachedPackage(place: string, key: CacheKey): Promise<OpenedPackage | undefined> {
  const record = await readRecord(place);
  if (record === undefined || record.manifest !== key.manifest) return undefined;
  const directory = join(place, 'files');
  for (const file of record.files) {
    const found = await lstat(join(directory, file.path)).catch(() => undefined);
    if (found?.isFile() !== true || found.size !== file.sizeBytes || found.mtimeMs !== file.mtimeMs) return undefined;
  }
  const known = key.recipe === undefined ? undefined : record.recipes[key.recipe.digest];
  const captured = known === undefined ? (Object.values(record.recipes).at(-1) ?? null) : known;
  try {
    const capture = captured === null ? undefined : readCapture(await readFile(join(place, capturedName(captured))));
    const contents = record.files.map((file) => ({
      role: 'file' as const,
      path: file.path,
      digest: file.digest,
      sizeBytes: file.sizeBytes,
      chunks: 1,
    }));
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
  };
}
