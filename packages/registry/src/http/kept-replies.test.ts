import { parseModelName } from '@ingot/core/ref';
import { expect, test } from 'vitest';
import { KeptReplies, type KeptReply } from './kept-replies.ts';

const model = parseModelName('churn');

function reply(body: string): KeptReply {
  const said = { headers: [], etag: undefined, body, encoding: 'latin1' } as const;
  return { model, mark: {}, permission: 'read', target: { kind: 'model', model }, route: '/x', ...said };
}

test('no more bytes are kept than allowed, and what was kept first goes first', () => {
  const kept = new KeptReplies(10_000);
  for (let count = 0; count < 100; count++) kept.keep(`/${count}`, reply('x'.repeat(1000)));
  expect(kept.bytes).toBeLessThanOrEqual(10_000);
  expect(kept.bytes).toBeGreaterThan(5000);
  expect(kept.get('/0')).toBeUndefined();
  expect(kept.get('/99')?.body).toHaveLength(1000);
});

test('what is kept again at one address counts once, and long answers and addresses are not kept', () => {
  const kept = new KeptReplies(100_000);
  kept.keep('/a', reply('x'));
  const { bytes } = kept;
  kept.keep('/a', reply('y'));
  expect([kept.bytes, kept.get('/a')?.body]).toEqual([bytes, 'y']);
  kept.keep('/b', reply('x'.repeat(70_000)));
  kept.keep(`/${'c'.repeat(3000)}`, reply('x'));
  expect(kept.bytes).toBe(bytes);
  kept.forget('/a');
  expect(kept.bytes).toBe(0);
});
