import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { collect } from '../blob/bytes.ts';
import { noise } from '../content/conformance.ts';
import { ociDigestOf } from '../oci/digest.ts';
import { storedGzip, storedGzipSize } from './stored-gzip.ts';
import { startDigest } from './thread-digester.ts';

async function* cut(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

it.each([0, 1, 65_534, 65_535, 65_536, 16 * 65_535, 16 * 65_535 + 1, 3_000_000])(
  'gzip that stores %i bytes is read back, has the length that was foretold, and is the same however they came',
  async (sizeBytes) => {
    const bytes = noise(sizeBytes, 7);
    const packed = await collect(storedGzip(cut(bytes, 100_000), sizeBytes));
    expect(packed.length).toBe(storedGzipSize(sizeBytes));
    expect(gunzipSync(packed).equals(bytes)).toBe(true);
    expect((await collect(storedGzip(cut(bytes, 7777), sizeBytes))).equals(packed)).toBe(true);
  },
);

it('a digest on a thread of its own is that of the bytes', async () => {
  await using digester = startDigest(64 * 1024 * 1024);
  const bytes = noise(1_000_000, 3);
  for (let round = 0; round < 40; round += 1) await digester.update(bytes);
  expect(await digester.finish()).toBe(ociDigestOf(Buffer.concat(Array.from({ length: 40 }, () => bytes))));
});
