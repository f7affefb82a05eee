/**
 * The package cache keeps stored packages as plain files on this machine, so that a model server starts with registry
 * and store gone. Below the cache's root: `packages/<hex of the manifest digest>/` with `files/` (verified when they
 * arrived, read-only), `manifest.json`, `config.json`, `captured-<hex>.json`, `record.json` (written last) and `used`,
 * whose time says when it was last asked for. A package appears by one rename, so there is never half of one.
 */

import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Capture } from '../capture.ts';
import type { ContentReader, RecipeRef } from '../content/content-store.ts';
import type { Digest } from '../digest.ts';
import { isIngotError, systemErrorCode } from '../errors.ts';
import { makeDirectory } from '../make-directory.ts';
import type { OnProgress } from '../progress.ts';
import type { ServablePackage } from '../serving/runtime.ts';
import { CacheLeases } from './cache-leases.ts';
import { writeRecord } from './cache-record.ts';
import { arrivingPlace, type CacheEntry, discardFromCache, listCache, sweepCache } from './cache-shelf.ts';
import { type OpenedPackage, openCachedPackage, writeCaptured } from './cached-package.ts';
import type { PackageDescription } from './package.ts';
import { openStoredPackage, type StoredPackage } from './stored-package.ts';
import { diskError, syncDirectory, unpackPackage } from './unpack.ts';

/** Which package is wanted. */
export interface CacheKey {
  readonly manifest: Digest;
  /** Of the version; two versions with one manifest may have captured different things. */
  readonly recipe?: RecipeRef;
  /** For listings: the model it was fetched for. */
  readonly model?: string;
}

/** A package whose files lie in a local directory. */
export interface CachedPackage {
  readonly manifest: Digest;
  /** Where its files are; not to be changed. */
  readonly directory: string;
  readonly sizeBytes: number;
  readonly description: PackageDescription;
  readonly captured?: Capture;
  /** As runtimes want it. */
  readonly servable: ServablePackage;
}

/** What pruning did. */
export interface PruneResult {
  readonly removed: readonly CacheEntry[];
  readonly kept: readonly CacheEntry[];
}

/** Options of {@link openPackageCache}. */
export interface PackageCacheOptions {
  /** The cache's root; made when missing, readable by its owner only. */
  readonly directory: string;
  /** What pruning leaves. Default: 20 GB. */
  readonly maxBytes?: number;
  /** Default: the system clock. */
  readonly clock?: () => Date;
}

/** Brings packages to this machine and keeps them; packages it handed out are not pruned while it is open. */
export interface PackageCache extends AsyncDisposable {
  /** The package, when it is here whole: a look at sizes and times, no hashing. */
  get(key: CacheKey): Promise<CachedPackage | undefined>;
  /**
   * The package, brought here when it is missing. Safe in several processes at once.
   * @throws IngotError as reading contents does, and `disk-full`; nothing half-written stays.
   */
  fetch(
    key: CacheKey & { readonly recipe: RecipeRef },
    contents: ContentReader,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress },
  ): Promise<CachedPackage>;
  /** All packages here, the most recently used first. */
  list(): Promise<CacheEntry[]>;
  /** Removes the least recently used packages until `maxBytes` are left; those in use stay. */
  prune(options?: { readonly maxBytes?: number }): Promise<PruneResult>;
}

const DEFAULT_MAX_BYTES = 20_000_000_000;

/** Opens the cache below a directory. */
export function openPackageCache(options: PackageCacheOptions): PackageCache {
  return new DirectoryCache(options);
}

class DirectoryCache implements PackageCache {
  readonly #root: string;
  readonly #maxBytes: number;
  readonly #now: () => Date;
  readonly #leases: CacheLeases;
  readonly #arriving = new Map<string, Promise<CachedPackage>>();

  constructor({ directory, maxBytes = DEFAULT_MAX_BYTES, clock = () => new Date() }: PackageCacheOptions) {
    this.#root = join(directory, 'packages');
    this.#maxBytes = maxBytes;
    this.#now = clock;
    this.#leases = new CacheLeases(clock);
  }

  async get(key: CacheKey): Promise<CachedPackage | undefined> {
    const found = await this.#open(key);
    if (found !== undefined) await this.#leases.hold(this.#place(key.manifest));
    return found?.cached;
  }

  fetch(
    key: CacheKey & { readonly recipe: RecipeRef },
    contents: ContentReader,
    options: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress } = {},
  ): Promise<CachedPackage> {
    const id = `${key.manifest} ${key.recipe.digest}`;
    const running = this.#arriving.get(id);
    if (running !== undefined && options.signal === undefined) return running;
    const started = this.#fetch(key, contents, options).finally(() => {
      if (this.#arriving.get(id) === started) this.#arriving.delete(id);
    });
    this.#arriving.set(id, started);
    return started;
  }

  list(): Promise<CacheEntry[]> {
    return listCache(this.#root);
  }

  async prune(options: { readonly maxBytes?: number } = {}): Promise<PruneResult> {
    const limit = options.maxBytes ?? this.#maxBytes;
    const entries = await this.list();
    let bytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const removed: CacheEntry[] = [];
    for (const entry of [...entries].reverse()) {
      if (bytes <= limit) break;
      if (await this.#leases.isHeld(entry.path)) continue;
      await discardFromCache(this.#root, entry.path);
      removed.push(entry);
      bytes -= entry.sizeBytes;
    }
    await sweepCache(this.#root, this.#now());
    return { removed, kept: entries.filter((entry) => !removed.includes(entry)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leases[Symbol.dispose]();
    await Promise.allSettled(this.#arriving.values());
  }

  async #fetch(
    key: CacheKey & { readonly recipe: RecipeRef },
    contents: ContentReader,
    options: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress },
  ): Promise<CachedPackage> {
    const here = await this.#open(key);
    if (here?.recipeKnown === true) {
      await this.#leases.hold(this.#place(key.manifest));
      return here.cached;
    }
    if (here !== undefined) return await this.#learn(key, here, contents, options.signal);
    const stored = await openStoredPackage(contents, key, { signal: options.signal });
    await this.#download(key, stored, contents, options);
    const arrived = await this.#open(key);
    if (arrived === undefined)
      throw new Error(`the package ${key.manifest} vanished from the cache while it was fetched`);
    await this.#leases.hold(this.#place(key.manifest));
    await this.prune();
    return arrived.cached;
  }

  /** The files are here already; what was captured for this version may not be. */
  async #learn(
    key: CacheKey & { readonly recipe: RecipeRef },
    here: OpenedPackage,
    contents: ContentReader,
    signal: AbortSignal | undefined,
  ): Promise<CachedPackage> {
    const place = this.#place(key.manifest);
    try {
      const stored = await openStoredPackage(contents, key, { signal });
      await writeCaptured(place, stored);
      await writeRecord(place, {
        ...here.record,
        model: key.model ?? here.record.model,
        recipes: { ...here.record.recipes, [key.recipe.digest]: stored.captured?.digest ?? null },
      });
    } catch (error) {
      // Without the store the files still serve; only what was captured may be that of another version.
      if (!isIngotError(error, 'unavailable', 'timeout', 'store-not-found', 'content-not-found')) throw error;
    }
    await this.#leases.hold(this.#place(key.manifest));
    return (await this.#open(key))?.cached ?? here.cached;
  }

  async #download(
    key: CacheKey & { readonly recipe: RecipeRef },
    stored: StoredPackage,
    contents: ContentReader,
    options: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress },
  ): Promise<void> {
    const temporary = arrivingPlace(this.#root);
    try {
      await makeDirectory(this.#root, { mode: 0o700 });
      await mkdir(temporary, { mode: 0o700 });
      await mkdir(join(temporary, 'files'), { mode: 0o700 });
      const alive = this.#leases.keepAlive(temporary, options.onProgress);
      const files = await unpackPackage(contents, stored, join(temporary, 'files'), {
        ...options,
        onProgress: alive,
        without: 0o222,
      });
      await writeFile(join(temporary, 'manifest.json'), stored.manifest, { flush: true });
      await writeFile(join(temporary, 'config.json'), stored.config, { flush: true });
      await writeFile(join(temporary, 'used'), '');
      await writeCaptured(temporary, stored);
      await writeRecord(temporary, {
        format: 1,
        manifest: key.manifest,
        model: key.model,
        sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        fetchedAt: this.#now().toISOString(),
        files,
        recipes: { [key.recipe.digest]: stored.captured?.digest ?? null },
      });
      await this.#install(temporary, key);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw diskError(error, this.#root, 'cache.fetch');
    }
  }

  /** Moves a whole package to its name; whoever comes second throws theirs away. */
  async #install(temporary: string, key: CacheKey): Promise<void> {
    const place = this.#place(key.manifest);
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        await rename(temporary, place);
        return await syncDirectory(this.#root);
      } catch (error) {
        const code = systemErrorCode(error);
        if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      }
      if ((await this.#open(key)) !== undefined) return await rm(temporary, { recursive: true, force: true });
      await discardFromCache(this.#root, place);
    }
    throw new Error(`the package ${key.manifest} could not be moved into the cache`);
  }

  #open(key: CacheKey): Promise<OpenedPackage | undefined> {
    return openCachedPackage(this.#place(key.manifest), key);
  }

  #place(manifest: Digest): string {
    return join(this.#root, manifest.slice('sha256:'.length));
  }
}
