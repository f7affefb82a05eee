import { open, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { testDirectory } from '../package/testing/fixtures.ts';
import { noise } from './conformance.ts';
import { type Hands, openHands } from './restore-hands.ts';

const BYTES = noise(3_000_000, 5);
const HEX = digestOf(BYTES).slice('sha256:'.length);

/** Carries pieces in an order, says of each that it is there, and gives the digest that comes of it. */
async function carried(hands: Hands, order: readonly (readonly [from: number, to: number])[]): Promise<string> {
  await using directory = await testDirectory();
  await writeFile(directory.join('source'), BYTES);
  const source = await open(directory.join('source'), 'r');
  const target = await open(directory.join('target'), 'w+');
  try {
    const copies = order.map(([from, to]) =>
      hands.carry(1, { source: source.fd, start: from, fd: target.fd, at: from, length: to - from }),
    );
    expect(await Promise.all(copies)).toEqual(order.map(([from, to]) => Math.min(to, BYTES.byteLength) - from));
    await hands.hash(1, target.fd, 0, BYTES.byteLength);
    expect((await target.readFile()).equals(BYTES)).toBe(true);
    return await hands.digest(1);
  } finally {
    await source.close();
    await target.close();
  }
}

test.each([0, 1, 2])(
  'bytes that %i threads carry in order, or in none, have the digest of the whole',
  async (threads) => {
    await using hands = openHands(threads);
    const [a, b, c] = [[0, 1_000_000] as const, [1_000_000, 1_500_000] as const, [1_500_000, 3_000_000] as const];
    expect(await carried(hands, [a, b, c])).toBe(HEX);
    expect(await carried(hands, [c, a, b])).toBe(HEX);
  },
);

test('what was hashed on the way is not read again: a change of it behind our back stays unseen by that hash', async () => {
  await using hands = openHands(0);
  await using directory = await testDirectory();
  await writeFile(directory.join('source'), BYTES);
  const source = await open(directory.join('source'), 'r');
  const target = await open(directory.join('target'), 'w+');
  await hands.carry(1, { source: source.fd, start: 0, fd: target.fd, at: 0, length: BYTES.byteLength });
  await target.write('x', 0);
  await hands.hash(1, target.fd, 0, BYTES.byteLength);
  expect(await hands.digest(1)).toBe(HEX);
  const [again] = await hands.ranges(target.fd, [[0, BYTES.byteLength]]);
  expect(again).not.toBe(HEX);
  await source.close();
  await target.close();
});

test('a source that is too short gives what it has', async () => {
  await using hands = openHands(0);
  await expect(carried(hands, [[0, 4_000_000]])).resolves.toBe(HEX);
});
