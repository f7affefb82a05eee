import type { CachedPackage, PackageCache } from '@ingot/core/package/cache';
import { openPackageCache } from '@ingot/core/package/cache';
import type { OnProgress } from '@ingot/core/progress';
import { parseReference } from '@ingot/core/ref';
import type { ResolvedVersion } from '@ingot/core/registry/registry';
import type { ModelSource, ResolvedModel } from '@ingot/core/serving/runtime';
import { cacheRoot } from './address.ts';
import { lastKnownResolver } from './last-known-resolver.ts';
import type { OpenedStore } from './open.ts';
import type { Settings } from './settings/settings.ts';

/** A version that was resolved, with what is needed to bring its package here. */
export interface LocatedModel extends ResolvedModel {
  readonly version: ResolvedVersion;
}

/** A {@link ModelSource} over a store and the package cache; goes on with the store gone. */
export interface CachedModelSource extends ModelSource {
  resolve(source: string, options?: { readonly signal?: AbortSignal }): Promise<LocatedModel>;
  /** The whole cached package, of which `fetch` gives the servable part. */
  fetchPackage(model: ResolvedModel, options?: FetchOptions): Promise<CachedPackage>;
}

interface FetchOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Makes a model source. The cache is shared with other processes; packages it hands out stay while this one runs. */
export function createModelSource(
  store: OpenedStore,
  settings: Settings,
  options: { readonly now: () => Date; readonly cache?: PackageCache },
): CachedModelSource {
  const resolver = lastKnownResolver(store, { now: options.now, offline: settings.isOn('offline') });
  const cache = options.cache ?? openPackageCache({ directory: cacheRoot(settings), clock: options.now });
  const located = new Map<string, ResolvedVersion>();

  async function resolve(source: string, call: { readonly signal?: AbortSignal } = {}): Promise<LocatedModel> {
    const { signal } = call;
    const version = await resolver.resolve(parseReference(source), { ...(signal && { signal }) });
    located.set(keyOf(version), version);
    const { model, modelId, number, label, manifest, staleSince } = version;
    return { source, model, modelId, number, label, digest: manifest, staleSince, version };
  }

  async function fetchPackage(model: ResolvedModel, call: FetchOptions = {}): Promise<CachedPackage> {
    const version = located.get(keyOf(model)) ?? (await resolve(`${model.model}:${model.number}`, call)).version;
    const key = { manifest: version.manifest, recipe: version.recipe, model: version.model };
    return cache.fetch(key, store.contents, call);
  }

  return { resolve, fetchPackage, fetch: async (model, call) => (await fetchPackage(model, call)).servable };
}

function keyOf({ modelId, number }: { readonly modelId: string; readonly number: number }): string {
  return `${modelId}:${number}`;
}
