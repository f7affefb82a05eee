import { join } from 'node:path';
import { openStore as openFormat } from '@ingot/core/content/store-format';
import { IngotError } from '@ingot/core/errors';
import { withLastKnown } from '@ingot/core/registry/last-known';
import type { VersionResolver } from '@ingot/core/registry/registry';
import type { OpenedStore } from './open.ts';

/** How a resolver treats the store. */
export interface LastKnownResolverOptions {
  readonly now: () => Date;
  /** Never asks the store. Default: false. */
  readonly offline?: boolean;
}

/** Resolves over a store, and goes on with what was last known while the store is away or `offline` is set. */
export function lastKnownResolver(store: OpenedStore, options: LastKnownResolverOptions): VersionResolver {
  const inner = options.offline === true ? awayResolver() : presentResolver(store);
  return withLastKnown(inner, {
    directory: join(store.remembered, 'resolutions'),
    address: store.address,
    clock: options.now,
  });
}

/** A directory that is gone looks like a store without models; its `ingot.json` tells the two apart. */
function presentResolver({ registry, blobs, following }: OpenedStore): VersionResolver {
  if (following !== undefined) return following;
  return {
    resolve: async (reference, options = {}) => {
      await openFormat(blobs, options);
      return registry.resolve(reference, options);
    },
  };
}

function awayResolver(): VersionResolver {
  return {
    resolve: async ({ name }) => {
      throw new IngotError(
        'unavailable',
        `"${name}" was never resolved here, and INGOT_OFFLINE keeps from asking the store`,
        {
          hint: 'INGOT_OFFLINE=0 ingot pull … --cached',
        },
      );
    },
  };
}
