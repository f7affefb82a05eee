/** Brings what a package is built on into the cache beside it: the base model of an adapter is a version of its own. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDigest } from './digest.ts';
import { isIngotError, systemErrorCode } from './errors.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import type { CachedPackage, PackageCache } from './package/cache.ts';
import { FLAVOR_FILE } from './package/flavors/flavor-file.ts';
import type { PullSourceOptions } from './pull.ts';
import { parseReference, type Reference } from './ref.ts';

/** An adapter of an adapter of …: nobody has more. */
const MOST_LEVELS = 4;

/**
 * Fetches the version that `base` of a package's `flavor.json` names (`{"version": "base:3", "digest": "sha256:…"}`),
 * and what that one is built on in turn. What lies in the cache is not asked for. A base that the store does not have, or
 * that cannot be had now, is left out: whoever loads the package is told which one is missing.
 * @throws IngotError as reading contents does, but for contents and versions that are not there, and `unavailable`.
 */
export async function pullBases(
  built: Pick<CachedPackage, 'directory' | 'description'>,
  options: PullSourceOptions & { readonly cache: PackageCache },
  levels = MOST_LEVELS,
): Promise<void> {
  const base = levels === 0 ? undefined : await baseOf(built);
  if (base === undefined || base.selector.kind !== 'digest') return;
  const { registry, contents, cache, signal, onProgress } = options;
  try {
    const here = await cache.get({ manifest: base.selector.digest });
    await pullBases(here ?? (await fetched(base)), options, levels - 1);
  } catch (error) {
    if (!isIngotError(error, 'model-not-found', 'version-not-found', 'content-not-found', 'unavailable', 'timeout'))
      throw error;
  }

  async function fetched(reference: Reference): Promise<CachedPackage> {
    const { manifest, recipe, model } = await registry.resolve(reference, { signal });
    return await cache.fetch({ manifest, recipe, model }, contents, { signal, onProgress });
  }
}

async function baseOf({
  directory,
  description,
}: Pick<CachedPackage, 'directory' | 'description'>): Promise<Reference | undefined> {
  if (!description.files.some(({ path }) => path === FLAVOR_FILE)) return undefined;
  const said = await readObject(join(directory, FLAVOR_FILE));
  const base = said?.base;
  if (!isJsonObject(base) || typeof base.version !== 'string' || typeof base.digest !== 'string') return undefined;
  if (!isDigest(base.digest)) return undefined;
  try {
    return { name: parseReference(base.version).name, selector: { kind: 'digest', digest: base.digest } };
  } catch (error) {
    if (isIngotError(error, 'invalid-name', 'invalid-reference')) return undefined;
    throw error;
  }
}

async function readObject(path: string): Promise<JsonObject | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isJsonObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
