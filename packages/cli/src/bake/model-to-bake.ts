import type { BakedVersion } from '@ingot/core/package/baked-package';
import type { CachedPackage } from '@ingot/core/package/cache';
import type { BasePackage } from '@ingot/core/deploy/model-layer';
import { basesInCache } from '@ingot/core/pull-bases';
import type { Context } from '../context.ts';
import { createModelSource } from '../model-source.ts';
import { assembleStore, warningsOf } from '../open.ts';
import { openCache } from '../open-cache.ts';

/** A version that goes into an image, its files in the cache. */
export interface ModelToBake {
  /** `churn:7`. */
  readonly called: string;
  readonly version: BakedVersion;
  readonly cached: CachedPackage;
  /** Models that it is built on. */
  readonly bases: readonly BasePackage[];
}

/** A model that is held in the cache until it is disposed. */
export interface HeldModel extends AsyncDisposable {
  readonly model: ModelToBake;
}

/**
 * Finds the version that a source names now, and brings its files into the cache, where they stay until it is disposed.
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
    const cached = await models.fetchPackage(found, { signal, onProgress: progress.onProgress });
    const { model, modelId, number, version, label, digest } = found;
    const named = { ...(version !== undefined && { version }), ...(label !== undefined && { label }) };
    return {
      model: {
        called: `${model}:${version ?? number}`,
        version: { model, modelId, number, digest, ...named },
        cached,
        bases: await basesInCache(cached, cache),
      },
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}
