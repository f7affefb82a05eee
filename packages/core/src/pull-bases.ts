/** Brings what a package is built on into the cache beside it: the base model of an adapter is a version of its own. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, isDigest } from './digest.ts';
import { isIngotError, systemErrorCode } from './errors.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import type { CachedPackage, PackageCache } from './package/cache.ts';
import { FLAVOR_FILE } from './package/flavors/flavor-file.ts';
import type { PullSourceOptions } from './pull.ts';
import { parseReference, type Reference } from './ref.ts';

/** An adapter of an adapter of …, a part of a part of …: nobody has more. */
const MOST_LEVELS = 4;
/** Bases that one package names; a part each. */
const MOST_BASES = 64;

/**
 * Fetches the versions that `base` of a package's `flavor.json` names (`{"version": "base:3", "digest": "sha256:…"}`; of
 * several models that of each part), and what those are built on in turn. What lies in the cache is not asked for. A base that the store does not have, or
 * that cannot be had now, is left out: whoever loads the package is told which one is missing.
 * @throws IngotError as reading contents does, but for contents and versions that are not there, and `unavailable`.
 */
export async function pullBases(
  built: Pick<CachedPackage, 'directory' | 'description'>,
  options: PullSourceOptions & { readonly cache: PackageCache },
  levels = MOST_LEVELS,
): Promise<void> {
  const { registry, contents, cache, signal, onProgress } = options;
  for (const base of levels === 0 ? [] : await basesOf(built)) {
    try {
      const here = await cache.get({ manifest: base.digest });
      await pullBases(here ?? (await fetched(base)), options, levels - 1);
    } catch (error) {
      if (!isIngotError(error, 'model-not-found', 'version-not-found', 'content-not-found', 'unavailable', 'timeout'))
        throw error;
    }
  }

  async function fetched({ name, digest }: Base): Promise<CachedPackage> {
    const selector = { kind: 'digest', digest } as const;
    const { manifest, recipe, model } = await registry.resolve({ name, selector }, { signal });
    return await cache.fetch({ manifest, recipe, model }, contents, { signal, onProgress });
  }
}

/**
 * Gives the packages that a package is built on and those that they are built on, as far as they lie in the cache, each
 * once.
 */
export async function basesInCache(
  built: Pick<CachedPackage, 'directory' | 'description'>,
  cache: Pick<PackageCache, 'get'>,
  levels = MOST_LEVELS,
): Promise<readonly CachedPackage[]> {
  const found = new Map<Digest, CachedPackage>();
  for (const base of levels === 0 ? [] : await basesOf(built)) {
    const here = await cache.get({ manifest: base.digest });
    if (here === undefined) continue;
    found.set(base.digest, here);
    for (const below of await basesInCache(here, cache, levels - 1)) found.set(below.manifest, below);
  }
  return [...found.values()];
}

interface Base {
  readonly name: Reference['name'];
  readonly digest: Digest;
}

async function basesOf({
  directory,
  description,
}: Pick<CachedPackage, 'directory' | 'description'>): Promise<readonly Base[]> {
  if (!description.files.some(({ path }) => path === FLAVOR_FILE)) return [];
  const said = await readObject(join(directory, FLAVOR_FILE));
  return said === undefined ? [] : basesIn(said, MOST_LEVELS).slice(0, MOST_BASES);
}

/** What a description and those of its parts name, each once. */
function basesIn(said: JsonObject, levels: number): readonly Base[] {
  const own = baseIn(said.base);
  const parts = levels > 0 && Array.isArray(said.parts) ? said.parts.filter(isJsonObject) : [];
  const all = [...(own === undefined ? [] : [own]), ...parts.flatMap((part) => basesIn(part, levels - 1))];
  return [...new Map(all.map((base) => [base.digest, base])).values()];
}

function baseIn(base: unknown): Base | undefined {
  if (!isJsonObject(base) || typeof base.version !== 'string' || typeof base.digest !== 'string') return undefined;
  if (!isDigest(base.digest)) return undefined;
  try {
    return { name: parseReference(base.version).name, digest: base.digest };
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
