/** Ingot itself, on any storage address. */
import { join } from 'node:path';
import { benchEnvironment } from '../../lib/subjects.mjs';
import { bytesUnder, fresh, STORAGE_HOME } from '../../lib/folders.mjs';
import { pythonOf, VENV } from '../../../scripts/lib/paths.mjs';

/**
 * @param entry the program that is measured
 * @param storage `{address, env, storedBytes, empty}` of a store that is not a directory. Default: a directory.
 */
export function ingotContender({ entry, storage, key = 'ingot', name = 'ingot', variables = {} }) {
  const store = join(STORAGE_HOME, 'stores', key);
  const base = { ...benchEnvironment(pythonOf(VENV)), INGOT_REGISTRY: storage?.address ?? store, ...storage?.env, ...variables };
  const env = (cache) => ({ ...base, INGOT_CACHE: join(STORAGE_HOME, 'caches', `${key}-${cache}`) });
  const command = (cache, ...args) => ({ command: process.execPath, args: [entry, ...args, '--json'], env: env(cache) });
  const numbers = { v1: 1, v2: 2, 'v2-scattered': 2 };
  return {
    key,
    name,
    isFlushed: true,
    servers: storage?.servers ?? [],
    ...storage?.contest,
    env,
    entry,
    async prepare() {
      await (storage === undefined ? fresh('stores', key) : storage.empty());
      for (const cache of ['push', 'pull']) fresh('caches', `${key}-${cache}`);
    },
    push: (_variant, folder) => [command('push', 'push', folder, '--name', 'model')],
    pull: (variant, target) => [command('pull', 'pull', `model:${numbers[variant]}`, '-o', target)],
    numbersOf: (printed) => movedOf(JSON.parse(printed)),
    storedBytes: storage?.storedBytes ?? (async () => bytesUnder(store)),
  };
}

/** Bytes that a push wrote to packs, or that a pull fetched. */
const movedOf = ({ bytes }) => ({ movedBytes: bytes?.fetched ?? bytes?.written ?? 0 });
