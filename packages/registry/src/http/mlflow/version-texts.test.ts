import { expect, test } from 'vitest';
import { VersionTexts } from './version-texts.ts';

const placed = (model_id: string, number: number, changed_seq = 1) => ({ model_id, number, changed_seq });

test('a text counts until another event has changed its version', () => {
  const texts = new VersionTexts();
  texts.keep(placed('a', 1, 5), 'five');
  expect(texts.get(placed('a', 1, 5))).toBe('five');
  expect([texts.get(placed('a', 1, 6)), texts.get(placed('a', 2, 5)), texts.get(placed('b', 1, 5))]).toEqual(
    Array(3).fill(undefined),
  );
  texts.keep(placed('a', 1, 6), 'six');
  expect([texts.get(placed('a', 1, 5)), texts.get(placed('a', 1, 6))]).toEqual([undefined, 'six']);
});

test('no more bytes are kept than allowed, of the models that were read last', () => {
  const texts = new VersionTexts(100_000);
  for (let number = 1; number <= 200; number++)
    for (const model of ['a', 'b']) texts.keep(placed(model, number), 'x'.repeat(300));
  for (let number = 1; number <= 50; number++) texts.keep(placed('c', number), 'x'.repeat(300));
  expect(texts.bytes).toBeLessThanOrEqual(100_000);
  expect(texts.bytes).toBeGreaterThan(90_000);
  expect(texts.get(placed('c', 1))).toHaveLength(300);
  texts.keep(placed('d', 1), 'x'.repeat(100_000));
  expect(texts.get(placed('d', 1))).toBeUndefined();
});
