import type { PackageCache } from '@ingot/core/package/cache';
import type { ModelSource } from '@ingot/core/serving/runtime';
import type { Log } from '@ingot/serve/log';
import { storeAddress } from './address.ts';
import { bakedModels, isBakedSource } from './baked-models.ts';
import type { Context } from './context.ts';
import { createModelSource } from './model-source.ts';
import { assembleStore } from './open.ts';
import { mayBeServer } from './server-address.ts';

/** Where a model server gets its models from. Disposing it lets go of the store. */
export interface ServingSource extends AsyncDisposable {
  readonly source: ModelSource;
  /** Address of the registry server that is told what runs here, where there is one. */
  readonly registry?: string;
}

/**
 * Opens what the sources of a model server need. For baked ones alone nothing is opened, so that they start with the
 * registry away; it is told of them once it answers.
 * @throws IngotError as `assembleStore` does.
 */
export async function openServingSource(
  sources: readonly string[],
  { cache, log }: { readonly cache: PackageCache; readonly log: Log },
  { settings, now, cwd, progress }: Context,
): Promise<ServingSource> {
  if (sources.length > 0 && sources.every(isBakedSource)) {
    const address = storeAddress(settings);
    const registry = mayBeServer(address) ? { registry: address.text } : {};
    return { source: bakedModels(), ...registry, [Symbol.asyncDispose]: async () => {} };
  }
  const onWarning = (message: string): void => log('warn', message);
  const store = await assembleStore(settings, { now, onWarning });
  return {
    source: createModelSource(store, settings, { now, cwd, cache, onProgress: progress.onProgress, onWarning }),
    ...(store.isServer === true && { registry: store.address }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
