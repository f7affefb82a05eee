/** hf-xet, the client under the Hugging Face Hub, on a local store. */
import { join } from 'node:path';
import { bytesUnder, fresh, STORAGE_HOME } from '../../lib/folders.mjs';
import { hfXet } from '../../../scripts/lib/bench-peers.mjs';
import { inRoot } from '../../../scripts/lib/paths.mjs';

export async function xetContender() {
  const python = await hfXet();
  const home = join(STORAGE_HOME, 'stores/xet');
  const cache = join(STORAGE_HOME, 'caches/xet');
  const env = { ...process.env, HF_HOME: cache, HF_XET_CACHE: join(cache, 'xet'), HF_XET_TELEMETRY_ENABLED: '0', HF_HUB_OFFLINE: '1' };
  const script = (...args) => [{ command: python, args: [inRoot('bench/peers/storage/xet.py'), ...args], env }];
  const list = (variant) => join(home, `${variant}.json`);
  return {
    key: 'xet',
    name: 'hf-xet, local store',
    isFlushed: false,
    async prepare() {
      fresh('stores/xet');
      fresh('caches/xet');
    },
    push: (variant, folder) => script('push', folder, join(home, 'store'), list(variant)),
    pull: (variant, target) => script('pull', list(variant), join(home, 'store'), target),
    storedBytes: async () => bytesUnder(home),
  };
}
