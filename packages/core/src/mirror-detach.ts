import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { type Detached, detachStore } from './content/store-format.ts';
import { openLogRegistry } from './registry/open.ts';

/** Options of {@link detachMirror}. */
export interface DetachOptions extends BlobOptions {
  readonly blobs: BlobStore;
  /** Who does it, as histories show it: `ana@laptop`. */
  readonly actor: string;
  /** Default: the system clock. */
  readonly clock?: () => Date;
}

/** What a mirror is that became a store of its own. */
export interface DetachedMirror extends Detached {
  readonly address: string;
  /** Models and versions in it. */
  readonly models: number;
  readonly versions: number;
  /** Time of the newest event that it has; null: it has none. What its source wrote later is not in it. */
  readonly newestEventAt: string | null;
}

/**
 * Makes a mirror a store of its own, for good, and says how far it had come. Doing it again changes nothing.
 * @throws IngotError `conflict` when it never was a mirror, `store-not-found`.
 */
export async function detachMirror({ blobs, actor, clock, signal }: DetachOptions): Promise<DetachedMirror> {
  const call = signal ? { signal } : {};
  const at = (clock ?? (() => new Date()))().toISOString();
  const detached = await detachStore(blobs, { actor, at }, call);
  const registry = openLogRegistry({ blobs, actor });
  let [models, versions] = [0, 0];
  let newestEventAt: string | null = null;
  for await (const model of registry.models(call)) {
    models += 1;
    versions += model.versions;
    if (newestEventAt === null || model.updatedAt > newestEventAt) newestEventAt = model.updatedAt;
  }
  return { address: blobs.address, ...detached, models, versions, newestEventAt };
}
