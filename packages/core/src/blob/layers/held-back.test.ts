import { expect, it } from 'vitest';
import { bodyOf } from '../bytes.ts';
import { createMemoryBlobStore } from '../memory.ts';
import { heldBack } from './held-back.ts';

function held() {
  const inner = createMemoryBlobStore();
  let [open, refuse] = [(): void => {}, (_: Error): void => {}];
  const leave = new Promise<void>((resolve, reject) => {
    [open, refuse] = [resolve, reject];
  });
  return { inner, store: heldBack(inner, leave, (key) => key.startsWith('packs/')), open, refuse };
}

it('what is early is written at once, anything else only when there is leave', async () => {
  const { inner, store, open } = held();
  const event = store.write('names/1', bodyOf('event'));
  expect(await store.write('packs/1', bodyOf('pack'))).toBe('created');
  expect(await inner.stat('names/1')).toBeUndefined();
  open();
  expect(await event).toBe('created');
  expect(await store.write('names/2', bodyOf('event'))).toBe('created');
});

it('nothing is written any more once leave is refused; what was written can be removed', async () => {
  const { inner, store, refuse } = held();
  const event = store.write('names/1', bodyOf('event'));
  await store.write('packs/1', bodyOf('pack'));
  refuse(new Error('it overwrites'));
  await expect(event).rejects.toThrow('it overwrites');
  await expect(store.write('packs/2', bodyOf('pack'))).rejects.toThrow('it overwrites');
  await store.delete('packs/1');
  expect(await inner.stat('packs/1')).toBeUndefined();
});
