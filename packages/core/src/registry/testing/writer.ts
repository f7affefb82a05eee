/** A process that publishes and moves aliases (`DIRECTORY NAME COUNT [CACHE]`) and prints each acknowledgement as a line. */

import { argv, stdout } from 'node:process';
import { createLocalBlobStore } from '../../blob/local.ts';
import { CHURN, draftOf } from '../conformance/case.ts';
import { openLogRegistry } from '../open.ts';
import { openRememberedStates } from '../remembered.ts';

const [directory = '', name = '', count = '0', cache = ''] = argv.slice(2);
const memory = cache === '' ? undefined : openRememberedStates({ directory: cache });
const blobs = createLocalBlobStore(directory);
await using registry = openLogRegistry({ blobs, actor: name, ...(memory ? { memory } : {}) });

await registry.ensureModel(CHURN);
for (let n = 1; n <= Number(count); n += 1) {
  const draft = draftOf(`${name} ${n}`);
  const { version } = await registry.publish(CHURN, draft);
  stdout.write(`${JSON.stringify({ number: version.number, manifest: draft.manifest })}\n`);
  const { from, to } = await registry.setAlias(CHURN, n % 2 === 0 ? 'production' : 'staging', version.number);
  stdout.write(`${JSON.stringify({ alias: n % 2 === 0 ? 'production' : 'staging', from, to })}\n`);
}
