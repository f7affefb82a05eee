import { join } from 'node:path';

/** An environment that knows nothing of the machine's own store, cache and settings. */
export function worldOf(directory: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: join(directory, 'home'),
    INGOT_REGISTRY: join(directory, 'store'),
    INGOT_CACHE: join(directory, 'cache'),
    INGOT_ACTOR: 'ana@laptop',
  };
}
