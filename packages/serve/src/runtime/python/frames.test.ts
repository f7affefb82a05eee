import type { Tensor } from '@ingot/core/serving/tensor';
import { expect, test } from 'vitest';
import { encodeFrame, type Frame, FrameReader } from './frames.ts';

const TENSORS: readonly Tensor[] = [
  { name: 'flag', datatype: 'BOOL', shape: [3], data: new Uint8Array([1, 0, 1]) },
  { name: 'x', datatype: 'FP64', shape: [2, 2], data: new Float64Array([1, -2.5, Number.NaN, 4]) },
  { name: 'n', datatype: 'INT64', shape: [1], data: new BigInt64Array([-(2n ** 62n)]) },
  { name: 'text', datatype: 'BYTES', shape: [4], data: ['a', null, '', 'žluťoučký 🐎'] },
  { name: 'none', datatype: 'FP32', shape: [0], data: new Float32Array() },
];

function read(bytes: Buffer, chunkBytes: number): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader((frame) => frames.push(frame));
  for (let start = 0; start < bytes.length; start += chunkBytes) reader.push(bytes.subarray(start, start + chunkBytes));
  return frames;
}

test.each([1, 7, 64, 100_000])('frames survive being delivered %i bytes at a time', (chunkBytes) => {
  const bytes = Buffer.concat([...encodeFrame({ type: 'a' }), ...encodeFrame({ type: 'b', id: 2 }, TENSORS)]);
  const [first, second] = read(bytes, chunkBytes);
  expect(first).toEqual({ header: { type: 'a' }, tensors: [] });
  expect(second?.header).toMatchObject({ type: 'b', id: 2 });
  expect(second?.tensors).toEqual(TENSORS);
});

test('a payload shorter than its header says is refused', () => {
  const [head] = encodeFrame({ type: 'x', tensors: [{ name: 'x', datatype: 'FP64', shape: [1], bytes: 8 }] });
  expect(() => read(Buffer.from(head ?? []), 1000)).toThrow('shorter than its header says');
});

test('a shape that does not fit the data is refused', () => {
  const pieces = encodeFrame({ type: 'x' }, [{ name: 'x', datatype: 'FP64', shape: [3], data: new Float64Array(2) }]);
  expect(() => read(Buffer.concat(pieces), 1000)).toThrow('2 elements for shape [3] of "x"');
});

test('a frame larger than the protocol allows is refused before memory is taken for it', () => {
  const prefix = Buffer.alloc(16);
  prefix.writeUInt32LE(2 ** 31, 0);
  expect(() => read(prefix, 16)).toThrow('a frame part of 2147483648 bytes');
});
