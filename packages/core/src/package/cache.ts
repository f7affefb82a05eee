/**
 * The package cache keeps stored packages as plain files on this machine, so that a model server starts with registry
 * and store gone. Below the cache's root: `packages/<hex of the manifest digest>/` with `files/` (verified when they
 * arrived, read-only), `manifest.json`, `config.json`, `captured-<hex>.json`, `record.json` (written last) and `used`,
 * whose time says when it was last asked for. A package appears by one rename, so there is never half of one.
 */

import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Capture } from '../capture.ts';
import type { ContentReader, RecipeRef } from '../content/content-store.ts';
import { LocalContents } from '../content/local-contents.ts';
import type { Digest } from '../digest.ts';
import { isIngotError, systemErrorCode } from '../errors.ts';
import { flush } from '../make-durable.ts';
import type { OnProgress } from '../progress.ts';
import type { ServablePackage } from '../serving/runtime.ts';
import { arrive, awaitPlace } from './cache-arrive.ts';
import { CacheLeases } from './cache-leases.ts';
import { type CacheNeighbours, type PruneResult, pruneCache } from './cache-prune.ts';
import { writeRecord } from './cache-record.ts';
import { arrivalsOf, type CacheEntry, copyInCache, discardFromCache, listCache, sweepCache } from './cache-shelf.ts';
import { verifyEntry } from './cache-verify.ts';
import { type OpenedPackage, openCachedPackage, writeCaptured } from './cached-package.ts';
import { OutputNotes } from './output-notes.ts';
import type { PackageDescription } from './package.ts';
import { openStoredPackage } from './stored-package.ts';
import { diskError, type Unpacked } from './unpack.ts';

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
  /** Given when it was brought here by this call: bytes that came from the store, and bytes that were on this machine. */
  readonly arrived?: { readonly fetchedBytes: number; readonly foundBytes: number };
}

/** Options of {@link openPackageCache}. */
export interface PackageCacheOptions {
  /** The cache's root; made when missing, readable by its owner only. */
  readonly directory: string;
  /** What pruning leaves. Default: 20 GB. */
  readonly maxBytes?: number;
  /** What lies beside the packages and is counted and pruned with them. Default: nothing. */
  readonly neighbours?: CacheNeighbours;
  /** Default: the system clock. */
  readonly clock?: () => Date;
}

/** Options of {@link PackageCache.prune}. */
export interface PruneCacheOptions {
  /** Default: that of the cache. */
  readonly maxBytes?: number;
  /** Only says what would go. Default: false. */
  readonly dryRun?: boolean;
}

/** Brings packages to this machine and keeps them; packages it handed out are not pruned while it is open. */
export interface PackageCache extends AsyncDisposable {
  /** The package, when it is here whole: a look at sizes and times, no hashing. */
  get(key: CacheKey): Promise<CachedPackage | undefined>;
  /**
   * The package, brought here when it is missing: from earlier versions of its model where they have the bytes, and from
   * the store. Safe in several processes at once: one brings it, the others wait. What an interrupted call has brought is
   * used by the next one.
   * @throws IngotError as reading contents does, and `disk-full`.
   */
  fetch(
    key: CacheKey & { readonly recipe: RecipeRef },
    contents: ContentReader,
    options?: FetchOptions,
  ): Promise<CachedPackage>;
  /** All packages here, the most recently used first. */
  list(): Promise<CacheEntry[]>;
  /** Removes the least recently used packages and neighbours until `maxBytes` are left; what is in use stays. */
  prune(options?: PruneCacheOptions): Promise<PruneResult>;
  /** Marks a neighbour's directory as in use, now and until the cache is disposed. */
  hold(directory: string): Promise<void>;
  /** Reads packages and compares every byte with what arrived. One that is damaged is removed, so that it is fetched again. */
  verify(options?: VerifyCacheOptions): Promise<readonly VerifiedEntry[]>;
  /** What this machine has of earlier versions of a model: in the cache, and in directories that pulls have made. */
  local(model: string | undefined): Promise<LocalContents>;
  /** Notes on the directories that pulls have made. */
  readonly outputs: OutputNotes;
}

/** Options of {@link PackageCache.fetch}. */
export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Options of {@link PackageCache.verify}. */
export interface VerifyCacheOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Only packages that were not verified since then. Default: all. */
  readonly before?: Date;
  /** Only this package. Default: all. */
  readonly only?: Digest;
}

/** What verifying found of a package. */
export interface VerifiedEntry extends CacheEntry {
  /** Paths of the files that are not what they were; the package was removed when there are any. */
  readonly damaged: readonly string[];
}

/** What a cache may hold where nobody says otherwise: 20 GB. */
export const DEFAULT_CACHE_BYTES = 20_000_000_000;
/** So many earlier versions are looked at for bytes: of the cache, and of other directories. */
const LOCAL_COPIES = 3;

/** Opens the cache below a directory. */
export function openPackageCache(options: PackageCacheOptions): PackageCache {
  return new DirectoryCache(options);
}

class DirectoryCache implements PackageCache {
  readonly outputs: OutputNotes;
  readonly #root: string;
  readonly #maxBytes: number;
  readonly #neighbours: CacheNeighbours | undefined;
  readonly #now: () => Date;
  readonly #leases: CacheLeases;
  readonly #arriving = new Map<string, Promise<CachedPackage>>();

  constructor(options: PackageCacheOptions) {
    const { directory, maxBytes = DEFAULT_CACHE_BYTES, clock = () => new Date() } = options;
    this.#root = join(directory, 'packages');
    this.outputs = new OutputNotes(directory);
    this.#maxBytes = maxBytes;
    this.#neighbours = options.neighbours;
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
    options: FetchOptions = {},
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

  async prune({ maxBytes = this.#maxBytes, dryRun = false }: PruneCacheOptions = {}): Promise<PruneResult> {
    const pruned = await pruneCache({
      root: this.#root,
      entries: await this.list(),
      neighbours: this.#neighbours,
      maxBytes,
      dryRun,
      isHeld: (path) => this.#leases.isHeld(path),
    });
    if (!dryRun) await sweepCache(this.#root, this.#now());
    return pruned;
  }

  hold(directory: string): Promise<void> {
    return this.#leases.hold(directory);
  }

  async verify(options: VerifyCacheOptions = {}): Promise<readonly VerifiedEntry[]> {
    const { before, only } = options;
    const due = (await this.list()).filter(
      ({ digest, verifiedAt }) =>
        (only === undefined || digest === only) && (before === undefined || Date.parse(verifiedAt) < before.getTime()),
    );
    const verified: VerifiedEntry[] = [];
    for (const entry of due) {
      const found = await verifyEntry(this.#root, entry, this.#now, options);
      if (found !== undefined) verified.push(found);
    }
    return verified;
  }

  async local(model: string | undefined): Promise<LocalContents> {
    if (model === undefined) return await LocalContents.open([]);
    const cached = (await this.list()).filter((entry) => entry.model === model).slice(0, LOCAL_COPIES);
    const copies = await Promise.all(cached.map(({ path }) => copyInCache(path)));
    return await LocalContents.open([
      ...copies.filter((copy) => copy !== undefined),
      ...(await this.outputs.copies(model, LOCAL_COPIES)),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leases[Symbol.dispose]();
    await Promise.allSettled(this.#arriving.values());
  }

  async #fetch(
    key: CacheKey & { readonly recipe: RecipeRef },
    contents: ContentReader,
    options: FetchOptions,
  ): Promise<CachedPackage> {
    const here = await this.#open(key);
    if (here?.recipeKnown === true) {
      await this.#leases.hold(this.#place(key.manifest));
      return here.cached;
    }
    if (here !== undefined) return await this.#learn(key, here, contents, options.signal);
    const unpacked = await this.#download(key, contents, options);
    if (unpacked === undefined) return await this.#fetch(key, contents, options);
    const arrived = await this.#open(key);
    if (arrived === undefined)
      throw new Error(`the package ${key.manifest} vanished from the cache while it was fetched`);
    await this.#leases.hold(this.#place(key.manifest));
    await this.prune();
    const { fetchedBytes, foundBytes } = unpacked;
    return { ...arrived.cached, arrived: { fetchedBytes, foundBytes } };
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

  /** Brings the files here, or waits for a process that does. Undefined when another process has brought them. */
  async #download(
    key: CacheKey & { readonly recipe: RecipeRef },
    contents: ContentReader,
    { signal, onProgress }: FetchOptions,
  ): Promise<Unpacked | undefined> {
    const isThere = async (): Promise<boolean> => (await this.#open(key)) !== undefined;
    try {
      using arrival = await awaitPlace(arrivalsOf(this.#root, this.#now), key, isThere, signal);
      if (arrival === undefined) return undefined;
      const stored = await openStoredPackage(contents, key, { signal });
      const local = await this.local(key.model);
      const input = { key, stored, contents, local, now: this.#now, signal, onProgress };
      const unpacked = await arrive(arrival, input);
      await this.#install(arrival.path, key);
      return unpacked;
    } catch (error) {
      throw diskError(error, this.#root, 'cache.fetch');
    }
  }

  /** Moves a whole package to its name; whoever comes second throws theirs away. */
  async #install(temporary: string, key: CacheKey): Promise<void> {
    const place = this.#place(key.manifest);
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        await rename(temporary, place);
        return await flush(this.#root);
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
