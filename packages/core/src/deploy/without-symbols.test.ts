import { expect, test } from 'vitest';
import { withoutSymbols } from './without-symbols.ts';

/** An ELF of one segment of `loaded` bytes, and `rest` bytes of symbols behind it. */
function elf(loaded: number, rest: number): Buffer {
  const bytes = Buffer.alloc(loaded + rest, 7);
  bytes.fill(0, 0, 0x78);
  bytes.writeUInt32BE(0x7f454c46, 0);
  bytes[4] = 2;
  bytes[5] = 1;
  bytes.writeBigUInt64LE(0x40n, 0x20);
  bytes.writeBigUInt64LE(BigInt(loaded), 0x28);
  bytes.writeUInt16LE(56, 0x36);
  bytes.writeUInt16LE(1, 0x38);
  bytes.writeUInt16LE(12, 0x3c);
  bytes.writeUInt16LE(11, 0x3e);
  bytes.writeBigUInt64LE(BigInt(loaded), 0x40 + 32);
  return bytes;
}

test('a program keeps all that is loaded and no list of sections', () => {
  const program = elf(500, 300);
  const stripped = Buffer.from(withoutSymbols(program));
  expect(stripped).toHaveLength(500);
  expect([stripped.readBigUInt64LE(0x28), stripped.readUInt32LE(0x3c)]).toEqual([0n, 0]);
  expect(stripped.subarray(0x78).equals(program.subarray(0x78, 500))).toBe(true);
});

test.each([
  ['a script', Buffer.from('#!/bin/sh\n'.repeat(20))],
  ['one that names bytes behind its end', elf(500, 300).subarray(0, 400)],
  ['another machine order', Buffer.from(elf(500, 0)).fill(2, 5, 6)],
])('%s stays as it is', (_, bytes) => {
  expect(withoutSymbols(bytes)).toBe(bytes);
});
