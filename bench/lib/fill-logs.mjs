/**
 * Writes the logs of many versions without their contents, as a registry of some years has them:
 * `node fill-logs.mjs DIRECTORY MODELS VERSIONS-EACH`. Needs the built libraries.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { createStore } from '@ingot/core/content/store-format';
import { encodeEvent } from '@ingot/core/registry/events';
import { numberedKey } from '@ingot/core/registry/log-files';

const [directory, models, versions] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
await createStore(createLocalBlobStore(directory));

const hex = (text, length = 64) => createHash('sha256').update(text).digest('hex').slice(0, length);

function writer(prefix) {
  mkdirSync(`${directory}/${prefix}/log`, { recursive: true });
  let [seq, previous] = [0, null];
  return (kind, body) => {
    seq += 1;
    const at = new Date(1_750_000_000_000 + seq * 60_000).toISOString();
    const id = hex(`${prefix} ${seq}`, 32);
    const event = encodeEvent({ seq, previous, id, at, actor: 'ana', kind }, id, body);
    previous = event.digest;
    writeFileSync(`${directory}/${numberedKey(`${prefix}/log`, seq)}`, event.bytes);
  };
}

const names = writer('names');
for (let model = 0; model < models; model += 1) {
  const name = `team-${model % 20}/model-${model}`;
  const id = `team-${model % 20}-model-${model}-${hex(name, 16)}`;
  names('model-created', { name, id });
  const log = writer(`models/${id}`);
  for (let number = 1; number <= versions; number += 1) {
    log('version-published', {
      number,
      manifest: `sha256:${hex(`${name} ${number}`)}`,
      recipe: { digest: `sha256:${hex(`recipe ${name} ${number}`)}`, pack: `${hex(name, 32)}/0`, offset: 0, length: 900 },
      sizeBytes: 10_000 + number,
      fileCount: 4,
      flavor: 'sklearn',
      scan: 'not scanned',
      description: `the model ${name} as of run ${number}`,
      author: 'ana',
      metrics: { auc: 0.5 + number / 1e6, f1: 0.7, loss: 1 / number },
      params: { depth: number % 12, 'learning-rate': 0.1, booster: 'gbtree' },
      tags: { team: name.split('/')[0], reviewed: 'yes' },
      lineage: { run: `run-${number}`, git: { commit: hex(`${number}`, 40), branch: 'main', dirty: false } },
      environment: { python: '3.11.7', requirements: ['scikit-learn==1.5.2', 'numpy==1.26.4', 'pandas==2.2.3'] },
    });
  }
  log('alias-set', { alias: 'production', number: versions, from: null });
}
