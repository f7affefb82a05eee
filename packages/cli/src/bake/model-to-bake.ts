import type { BakedVersion } from '@ingot/core/package/baked-package';
import type { CachedPackage, PackageCache } from '@ingot/core/package/cache';
import { toServable } from '@ingot/core/package/cached-package';
import { openStoredPackage } from '@ingot/core/package/stored-package';
import type { BasePackage, StoredFiles } from '@ingot/core/deploy/model-layer';
import { FLAVOR_FILE } from '@ingot/core/package/flavors/flavor-file';
import { basesInCache } from '@ingot/core/pull-bases';
import { parseReference } from '@ingot/core/ref';
import type { ResolvedModel } from '@ingot/core/serving/runtime';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import type { Context } from '../context.ts';
import { createModelSource } from '../model-source.ts';
import { openResolver } from '../open-resolver.ts';
import { assembleStore, type OpenedStore, warningsOf } from '../open.ts';
import { openCache } from '../open-cache.ts';

/** A version that goes into an image, its files in the cache. */
export interface ModelToBake {
  /** `churn:7`. */
  readonly called: string;
  readonly version: BakedVersion;
  readonly cached: CachedPackage;
  /** Models that it is built on. */
  readonly bases: readonly BasePackage[];
  /** Where its files come from when they are not in the cache. */
  readonly stored?: StoredFiles;
}

/** A model that is held in the cache until it is disposed. */
export interface HeldModel extends AsyncDisposable {
  readonly model: ModelToBake;
}

/**
 * Finds the version that a source names now. Files that lie in the cache stay there until it is disposed; those of a
 * registry are streamed from its store; all others are brought into the cache.
 * @throws IngotError as resolving and fetching do.
 */
export async function openModelToBake(source: string, context: Context): Promise<HeldModel> {
  const { settings, now, cwd, signal, progress } = context;
  const onWarning = warningsOf(context);
  const store = await assembleStore(settings, { now, onWarning });
  const cache = openCache(settings, now);
  const end = async (): Promise<void> => {
    await cache[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  };
  try {
    const models = createModelSource(store, settings, { now, cwd, cache, onWarning, onProgress: progress.onProgress });
    const found = await models.resolve(source, { signal });
    const streamed = await storedPackage(source, found, { store, cache }, context);
    const cached = streamed?.cached ?? (await models.fetchPackage(found, { signal, onProgress: progress.onProgress }));
    const { model, modelId, number, version, label, digest } = found;
    const named = { ...(version !== undefined && { version }), ...(label !== undefined && { label }) };
    return {
      model: {
        called: `${model}:${version ?? number}`,
        version: { model, modelId, number, digest, ...named },
        cached,
        bases: streamed === undefined ? await basesInCache(cached, cache) : [],
        ...(streamed !== undefined && { stored: streamed.stored }),
      },
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/**
 * A version of a registry whose files are not in the cache, to be streamed from its store: what is baked need not lie on
 * this machine twice. Undefined where it is to be fetched: a plain address, a model that is built on others.
 */
async function storedPackage(
  source: string,
  found: ResolvedModel,
  { store, cache }: { readonly store: OpenedStore; readonly cache: PackageCache },
  context: Context,
): Promise<{ readonly cached: CachedPackage; readonly stored: StoredFiles } | undefined> {
  const { settings, now, cwd, signal } = context;
  if (isPlainAddress(source) || source.startsWith('baked:') || settings.isOn('offline')) return undefined;
  if (found.staleSince !== undefined || (await cache.get({ manifest: found.digest })) !== undefined) return undefined;
  const resolver = await openResolver(store, settings, { now, cwd });
  const version = await resolver.resolve(parseReference(`${found.model}:${found.number}`), { signal });
  if (version.manifest !== found.digest) return undefined;
  const { description, manifest, recipe, captured } = await openStoredPackage(store.contents, version, { signal });
  if (description.files.some(({ path }) => path === FLAVOR_FILE)) return undefined;
  const capture = captured?.capture;
  return {
    cached: {
      manifest: found.digest,
      directory: '',
      sizeBytes: description.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      description,
      ...(capture !== undefined && { captured: capture }),
      servable: toServable(description, '', capture),
    },
    stored: { manifest, read: (file, call) => store.contents.read(recipe, file.digest, call) },
  };
}
