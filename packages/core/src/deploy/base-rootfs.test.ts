import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect } from '../blob/bytes.ts';
import { ociDigestOf } from '../oci/digest.ts';
import { baseFromRootfs } from './base-rootfs.ts';
import { PYTHON_FILES, type TestMember, tarOf } from './testing/tiny-base.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-rootfs-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const AMD64 = { os: 'linux', architecture: 'amd64' };

async function baseOf(bytes: Uint8Array | undefined, name = 'root.tar') {
  const file = join(root, name);
  if (bytes !== undefined) await writeFile(file, bytes);
  return await baseFromRootfs({ file, name: `rootfs:${name}`, cache: join(root, 'cache') })(AMD64);
}

async function layerOf(base: Awaited<ReturnType<typeof baseOf>>) {
  const [layer] = base.layers;
  if (layer === undefined) throw new Error('no layer');
  return { ...layer, bytes: await collect(base.readLayer(layer.descriptor)) };
}

/** A C library for a processor, as far as its header. */
const library = (machine: number): TestMember => ({
  path: 'usr/lib/libc.so.6',
  text: `\x7fELF\x02\x01\x01${'\0'.repeat(11)}${String.fromCharCode(machine)}\0\0\0`,
});

describe('a root file system', () => {
  it('is a layer of the same tar, plain or compressed, by the digests that it says', async () => {
    const tar = await tarOf(PYTHON_FILES.map((file) => ({ ...file, path: `./${file.path}` })));
    const plain = await layerOf(await baseOf(tar));
    const packed = await layerOf(await baseOf(gzipSync(tar), 'root.tar.gz'));
    for (const { diffId, descriptor, bytes } of [plain, packed]) {
      expect(diffId).toBe(ociDigestOf(tar));
      expect([descriptor.digest, descriptor.size]).toEqual([ociDigestOf(bytes), bytes.length]);
      expect(gunzipSync(bytes)).toEqual(tar);
    }
    expect((await (await baseOf(undefined)).facts()).python).toEqual({ path: '/usr/bin/python3.11', version: '3.11' });
  });

  it('is read again when the file has changed', async () => {
    const [first, second] = [await tarOf(PYTHON_FILES), await tarOf(PYTHON_FILES.slice(1))];
    expect((await layerOf(await baseOf(first))).diffId).toBe(ociDigestOf(first));
    expect((await layerOf(await baseOf(second))).diffId).toBe(ociDigestOf(second));
  });

  it('is for the platform of its C library', async () => {
    expect((await (await baseOf(await tarOf([library(62)]))).facts()).libc).toEqual({ name: 'glibc' });
    const other = await baseOf(await tarOf([library(40)]), 'arm.tar');
    await expect(other.facts()).rejects.toThrow('rootfs:arm.tar holds programs for linux/arm, not linux/amd64');
  });

  it.each<[string, () => Promise<Uint8Array | undefined>, string, string]>([
    ['is not there', async () => undefined, 'path-not-found', 'there is no file'],
    ['is empty', async () => Buffer.alloc(0), 'invalid-package', 'has no files'],
    ['is no tar', async () => Buffer.alloc(2000, 'x'), 'invalid-package', 'not a tar'],
    ['is cut off', async () => (await tarOf([library(62)])).subarray(0, 520), 'invalid-package', 'ends in the middle'],
    ['is gzip that was cut', async () => gzipSync('x').subarray(0, 10), 'invalid-package', 'gzip is damaged'],
    ['is xz', async () => Buffer.from('fd377a585a0000', 'hex'), 'invalid-package', 'compressed with xz'],
    ['leads out', () => tarOf([{ path: '../etc/passwd', text: 'x' }]), 'invalid-package', 'leads out of the image'],
  ])('is refused when it %s', async (_, make, code, message) => {
    await expect(baseOf(await make())).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
