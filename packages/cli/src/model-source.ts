import { join } from 'node:path';
import type { RecipeRef } from '@ingot/core/content/content-store';
import { isIngotError } from '@ingot/core/errors';
import type { CachedPackage, PackageCache } from '@ingot/core/package/cache';
import type { OnProgress } from '@ingot/core/progress';
import { pullBases } from '@ingot/core/pull-bases';
import { parseReference } from '@ingot/core/ref';
import type { ResolvedVersion, VersionResolver } from '@ingot/core/registry/registry';
import { fetchWheels } from '@ingot/core/package/wheels';
import type { ModelSource, ResolvedModel, ServablePackage } from '@ingot/core/serving/runtime';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import { SourceFollower } from '@ingot/core/source-follow';
import { bakedModels, isBakedSource } from './baked-models.ts';
import { cacheRoot } from './address.ts';
import { openCache } from './open-cache.ts';
import { openResolver } from './open-resolver.ts';
import type { OpenedStore } from './open.ts';
import { asResolvedModel, openSourceReader } from './plain-sources.ts';
import { meantAsPath } from './meant-as-path.ts';
import type { Settings } from './settings/settings.ts';

/** A {@link ModelSource} over a store, plain addresses and the package cache; goes on with both gone. */
export interface CachedModelSource extends ModelSource {
  /** The whole cached package, of which `fetch` gives the servable part. */
  fetchPackage(model: ResolvedModel, options?: FetchOptions): Promise<CachedPackage>;
}

interface FetchOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** What a model source is made with, besides the settings. */
export interface ModelSourceOptions {
  readonly now: () => Date;
  /** What relative paths start from. */
  readonly cwd: string;
  readonly cache?: PackageCache;
  readonly onProgress?: OnProgress;
  readonly onWarning?: (message: string) => void;
}

/** Makes a model source. The cache is shared with other processes; packages it hands out stay while this one runs. */
export function createModelSource(
  store: OpenedStore,
  settings: Settings,
  options: ModelSourceOptions,
): CachedModelSource {
  const cache = options.cache ?? openCache(settings, options.now);
  const registry = registrySource(store, settings, cache, options);
  const plain = plainSource(settings, cache, options);
  const baked = bakedModels();
  const of = (source: string): CachedModelSource => {
    if (isBakedSource(source)) return baked;
    return isPlainAddress(source) ? plain : registry;
  };
  const fetchPackage = (model: ResolvedModel, call?: FetchOptions) => of(model.source).fetchPackage(model, call);
  return {
    resolve: (source, call) => of(source).resolve(source, call),
    fetchPackage,
    fetch: async (model, call) => (await fetchPackage(model, call)).servable,
  };
}

function registrySource(
  store: OpenedStore,
  settings: Settings,
  cache: PackageCache,
  { now, cwd }: ModelSourceOptions,
): CachedModelSource {
  let opening: Promise<VersionResolver> | undefined;
  const resolver = (): Promise<VersionResolver> => {
    opening ??= openResolver(store, settings, { now, cwd });
    return opening;
  };
  const located = new Map<string, ResolvedVersion>();

  async function locate(source: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<ResolvedVersion> {
    const version = await (await resolver())
      .resolve(parseSource(source, cwd), { ...(signal && { signal }) })
      .catch((error) => {
        throw isIngotError(error) ? meantAsPath(source, cwd, error) : error;
      });
    located.set(keyOf(version), version);
    return version;
  }

  async function fetchPackage(model: ResolvedModel, call: FetchOptions = {}): Promise<CachedPackage> {
    const version = located.get(keyOf(model)) ?? (await locate(`${model.model}:${model.number}`, call));
    const key = { manifest: version.manifest, recipe: version.recipe, model: version.model };
    const found = withWheels(await cache.fetch(key, store.contents, call), version.recipe);
    await pullBases(found, { registry: await resolver(), contents: store.contents, cache, ...call });
    return found;
  }

  /** Wheels stay in the store until an environment has to be made. */
  function withWheels(found: CachedPackage, recipe: RecipeRef): CachedPackage {
    const wheels: NonNullable<ServablePackage['wheels']> = (call) =>
      fetchWheels(store.contents, recipe, join(cacheRoot(settings), 'environments'), call);
    return { ...found, servable: { ...found.servable, wheels } };
  }

  return {
    async resolve(source, call) {
      const { model, modelId, number, label, manifest, staleSince } = await locate(source, call);
      return {
        source,
        model,
        modelId,
        number,
        digest: manifest,
        ...(label !== undefined && { label }),
        ...(staleSince !== undefined && { staleSince }),
      };
    },
    fetchPackage,
    fetch: async (model, call) => (await fetchPackage(model, call)).servable,
  };
}

function parseSource(source: string, cwd: string) {
  try {
    return parseReference(source);
  } catch (error) {
    throw isIngotError(error) ? meantAsPath(source, cwd, error) : error;
  }
}

function plainSource(settings: Settings, cache: PackageCache, options: ModelSourceOptions): CachedModelSource {
  const reader = openSourceReader(settings, { ...options, cache });
  const follower = new SourceFollower({ reader, clock: () => performance.now() });
  const opened = new Map<string, CachedPackage>();

  async function resolve(source: string, call: { readonly signal?: AbortSignal } = {}): Promise<ResolvedModel> {
    const found = await follower.open(source, call);
    opened.set(found.record.manifest, found.cached);
    return asResolvedModel(source, found);
  }

  async function fetchPackage(model: ResolvedModel, call: FetchOptions = {}): Promise<CachedPackage> {
    const known = opened.get(model.digest) ?? (await cache.get({ manifest: model.digest }));
    if (known !== undefined) return known;
    return (await reader.open(model.source, call)).cached;
  }

  return { resolve, fetchPackage, fetch: async (model, call) => (await fetchPackage(model, call)).servable };
}

function keyOf({ modelId, number }: { readonly modelId: string; readonly number: number }): string {
  return `${modelId}:${number}`;
}
