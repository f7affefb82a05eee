import { isIngotError } from '@ingot/core/errors';
import type { Clock } from '../clock.ts';
import type { LoadVersion } from './slot.ts';
import { versionOf } from './slot-errors.ts';

/** Told what became of each load; one that was given up is not told. */
export type OnLoaded = (model: string, version: string, result: 'ok' | 'failed', seconds: number) => void;

/** Tells how long each load took and how it ended. */
export function timedLoads(load: LoadVersion, clock: Clock, onLoaded: OnLoaded): LoadVersion {
  return async (resolved, signal) => {
    const startedAt = clock.now();
    const tell = (result: 'ok' | 'failed'): void =>
      onLoaded(resolved.model, versionOf(resolved), result, (clock.now() - startedAt) / 1000);
    try {
      const loaded = await load(resolved, signal);
      tell('ok');
      return loaded;
    } catch (error) {
      if (!isIngotError(error, 'interrupted')) tell('failed');
      throw error;
    }
  };
}
