/** A registry server in a process of its own that may be killed: `server-child DIRECTORY`; it prints its address. */

import { argv, stdout } from 'node:process';
import { join } from 'node:path';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { FormatOnce } from '@ingot/core/content/store-format';
import { openLogRegistry } from '@ingot/core/registry/open';
import { startRegistryServer } from '@ingot/registry/server';

const [directory = ''] = argv.slice(2);
const blobs = createLocalBlobStore(join(directory, 'store'));
const format = new FormatOnce(blobs);
await format.create();
const { url } = await startRegistryServer({
  store: { address: directory, blobs, format, contents: createBlobContentStore(blobs, { format }) },
  openRegistry: (onEvent, beforeEvent) => openLogRegistry({ blobs, actor: 'server', format, onEvent, beforeEvent }),
  directory: join(directory, 'state'),
  port: 0,
  version: '0.0.0',
  log: () => {},
});
stdout.write(`${url}\n`);
