/** modelstore, which archives a model and uploads the archive. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bytesUnder, fresh, STORAGE_HOME } from '../../lib/folders.mjs';
import { modelstore } from '../../../scripts/lib/bench-peers.mjs';
import { inRoot } from '../../../scripts/lib/paths.mjs';

/** @param remote a bucket; default: a directory. */
export async function modelstoreContender({ remote } = {}) {
  const python = await modelstore();
  const home = join(STORAGE_HOME, 'stores/modelstore');
  const place = remote === undefined ? join(home, 'store') : `s3:${remote.bucket}`;
  const env = { ...process.env, ...remote?.env, TMPDIR: join(home, 'temporary') };
  const script = (...args) => [{ command: python, args: [inRoot('bench/peers/storage/modelstore.py'), ...args, place], env }];
  const listing = (variant) => join(home, `${variant}.json`);
  return {
    key: 'modelstore',
    name: 'modelstore, of a tar',
    isFlushed: false,
    rounds: 1,
    scattered: false,
    ...remote?.contest,
    async prepare() {
      fresh('stores/modelstore/temporary');
      fresh('stores/modelstore/store');
      await remote?.empty();
      mkdirSync(join(home, 'temporary'), { recursive: true });
    },
    push: (variant, folder) => script('upload', folder, listing(variant)),
    pull: (variant, target) => script('download', listing(variant), target),
    storedBytes: remote?.storedBytes ?? (async () => bytesUnder(join(home, 'store'))),
  };
}
