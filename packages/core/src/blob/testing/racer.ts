/** A process that races for keys (`race DIRECTORY LINKS NAME COUNT`) or stalls in a write (`stall DIRECTORY`). */

import { argv } from 'node:process';
import { bodyOf } from '../bytes.ts';
import { createLocalBlobStore } from '../local.ts';

const [mode, directory = '', hardLinks, name = '', count = '0'] = argv.slice(2);

if (mode === 'race') {
  const store = createLocalBlobStore(directory, { hardLinks: hardLinks === 'never' ? 'never' : 'auto' });
  const created: string[] = [];
  for (let n = 0; n < Number(count); n += 1) {
    const key = `log/${String(n).padStart(10, '0')}.json`;
    if ((await store.write(key, bodyOf(`${name} ${'x'.repeat(n * 100)}`))) === 'created') created.push(key);
  }
  process.stdout.write(JSON.stringify(created));
} else {
  const body = {
    sizeBytes: 10_000_000,
    open: async function* () {
      yield Buffer.alloc(1_000_000);
      yield Buffer.alloc(1_000_000);
      process.stdout.write('stalled');
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    },
  };
  await createLocalBlobStore(directory).write('stalled', body);
}
