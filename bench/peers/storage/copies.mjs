/** `cp` and rclone: every version is a folder of its own. */
import { join } from 'node:path';
import { bytesUnder, fresh, STORAGE_HOME } from '../../lib/folders.mjs';
import { rclone } from '../../../scripts/lib/bench-peers.mjs';

const at = (key) => join(STORAGE_HOME, 'stores', key);

/** Plain copies, which neither hash nor flush: a floor, not a peer. */
export function cpContender() {
  const copy = (from, to) => [{ command: 'cp', args: ['-r', '--reflink=never', from, to] }];
  return {
    key: 'cp',
    name: 'cp -r (no hash, no fsync)',
    again: false,
    scattered: false,
    isFlushed: false,
    prepare: async () => void fresh('stores', 'cp'),
    push: (variant, folder) => copy(folder, join(at('cp'), variant)),
    pull: (variant, target) => copy(join(at('cp'), variant), target),
    storedBytes: async () => bytesUnder(at('cp')),
  };
}

/**
 * @param remote a bucket; default: a directory.
 * @param flags further options of rclone
 */
export async function rcloneContender({ remote, flags = [], key = 'rclone', name = 'rclone copy' } = {}) {
  const program = await rclone();
  const place = (variant) => (remote === undefined ? join(at(key), variant) : `${remote.rclone}/${variant}`);
  const env = { ...process.env, RCLONE_CONFIG: '/dev/null', ...remote?.env, ...remote?.rcloneEnv };
  const copy = (from, to) => [{ command: program, args: ['copy', '--quiet', from, to, ...flags], env }];
  return {
    key,
    name,
    scattered: false,
    isFlushed: false,
    servers: remote?.servers ?? [],
    ...remote?.contest,
    prepare: async () => void (await (remote === undefined ? fresh('stores', key) : remote.empty())),
    push: (variant, folder) => copy(folder, place(variant)),
    pull: (variant, target) => copy(place(variant), target),
    storedBytes: remote?.storedBytes ?? (async () => bytesUnder(at(key))),
  };
}
