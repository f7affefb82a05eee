/** restic, a backup program with content-defined chunks; compression off, as weights hardly compress. */
import { join } from 'node:path';
import { bytesUnder, fresh, STORAGE_HOME } from '../../lib/folders.mjs';
import { restic } from '../../../scripts/lib/bench-peers.mjs';
import { run } from '../../../scripts/lib/run.mjs';

/** @param remote a bucket; default: a directory. */
export async function resticContender({ remote, key = 'restic' } = {}) {
  const program = await restic();
  const home = join(STORAGE_HOME, 'stores', key);
  const repository = remote?.restic ?? join(home, 'repository');
  const env = { ...process.env, ...remote?.env, RESTIC_PASSWORD: 'bench', RESTIC_REPOSITORY: repository, RESTIC_CACHE_DIR: join(STORAGE_HOME, 'caches', key) };
  const command = (args, cwd) => ({ command: program, args: [...args, '--quiet'], env, cwd });
  return {
    key,
    name: 'restic, compression off',
    isFlushed: true,
    ...remote?.contest,
    async prepare() {
      fresh('stores', key);
      fresh('caches', key);
      await remote?.empty();
      const { via = (start) => start } = remote?.contest ?? {};
      const { command: entry, args } = via({ command: program, args: ['init', '--quiet'] });
      await run(entry, args, { env, label: 'restic init' });
    },
    push: (variant, folder) => [command(['backup', '.', '--compression', 'off', '--tag', variant], folder)],
    pull: (variant, target) => [command(['restore', 'latest', '--tag', variant, '--target', target])],
    storedBytes: remote?.storedBytes ?? (async () => bytesUnder(join(home, 'repository'))),
  };
}
