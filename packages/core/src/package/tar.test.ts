import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';
import { collect } from '../blob/bytes.ts';
import { noise } from '../content/conformance.ts';
import { digestOf } from '../digest.ts';
import { packTar, tarHeader, tarSize } from './tar.ts';
import { createTarDigester } from './tar-digester.ts';

const entry = fc.record({
  path: fc
    .array(fc.string({ minLength: 1, maxLength: 90 }), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/')),
  sizeBytes: fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 60_000, max: 140_000 })),
  mode: fc.constantFrom(0o644, 0o755),
});

test('the size and the digest of a tar, found without making it, are those of the tar', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 8 }), async (entries) => {
      const digester = createTarDigester();
      const files = entries.map((file, n) => ({ ...file, bytes: noise(file.sizeBytes, n) }));
      for (const file of files) {
        digester.begin(file);
        for (let at = 0; at < file.sizeBytes; at += 50_000) digester.update(file.bytes.subarray(at, at + 50_000));
      }
      const packed = await collect(
        packTar(
          files.map(({ bytes, ...file }) => ({
            ...file,
            open: async function* () {
              yield bytes;
            },
          })),
        ),
      );
      assert.equal(tarSize(entries), packed.byteLength);
      assert.equal(digester.finish(), digestOf(packed));
    }),
    { numRuns: 30 },
  );
});

test('a header is that of ustar, byte for byte', () => {
  const header = Buffer.from(tarHeader({ path: 'weights/model.bin', sizeBytes: 0o1234567, mode: 0o755 }));
  const field = (from: number, to: number): string => header.toString('latin1', from, to);
  assert.equal(header.byteLength, 512);
  assert.equal(field(0, 18), 'weights/model.bin\0');
  assert.equal(field(100, 124), '0000755\0'.concat('0000000\0', '0000000\0'));
  assert.equal(field(124, 148), '00001234567\0'.concat('00000000000\0'));
  assert.equal(field(156, 157), '0');
  assert.equal(field(257, 265), 'ustar\x0000');
  assert.equal(field(329, 345), '0000000\0'.repeat(2));
  const sum = header.fill(' ', 148, 156).reduce((total, byte) => total + byte, 0);
  assert.equal(
    Buffer.from(tarHeader({ path: 'weights/model.bin', sizeBytes: 0o1234567, mode: 0o755 })).toString(
      'latin1',
      148,
      156,
    ),
    `${sum.toString(8).padStart(6, '0')}\0 `,
  );
});
