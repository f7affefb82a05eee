/** A process that ends threads of pushes while their answers are on their way, and says so when it could wait for all. */

import { CHUNKER } from '../chunker.ts';
import { BLOCK_BYTES, sharedBlocks } from '../pipeline-blocks.ts';
import { startThreadEngine } from '../pipeline-engine.ts';

const ROUNDS = 40;

for (let round = 0; round < ROUNDS; round += 1) {
  const blocks = sharedBlocks(1);
  const engine = await startThreadEngine(blocks.shared, CHUNKER);
  const to = Math.round((BLOCK_BYTES / 8) * (round / ROUNDS)) + 1;
  const block = await blocks.acquire();
  for (let n = 0; n < 8; n += 1) {
    const answer = engine.submit(block, [{ from: 0, to, begins: true, ends: true, whole: false, digested: true }]);
    answer.catch(() => {});
    if (n === 6) await answer.catch(() => {});
  }
  await engine[Symbol.asyncDispose]();
}
console.log('waited for all');
