import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { packTar } from '../tar.ts';
import { testDirectory } from '../testing/fixtures.ts';
import { crc32 } from './crc.ts';
import { type ArchiveLimits, unpackArchive } from './unpack-archive.ts';

/** Made by `tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - . | xz -9`: model.yaml and saved_model.pkl. */
const XZ =
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/AU9dABcLvBx9AZXAHUo+eRW/ePpNkgZPp2Vm73L/U4/VkuoUdwq952+lg6SCvKM8LjoZ3r63QTOBTM' +
  'vYoKKmuOO+z3TJCC3VfMlZ9T/QdEaW8tSxYJd+WOveBGtrZrrkbcsGqlsTOf0ZC2m4D+ZtopwuywW7heaGNKrT1uQopI70beqHt5eLfnIABkKiUwjP' +
  'c43Xm6hbnxBuwf0olotfb1rgAOM6Npk+f1OwBy5MhkWMm6/0vseiIk7VgOS+QxI/hD4OGbKHEhJrKfuvyavwpxLdTGMP5WbIaQCjEcckttr5VUuUzk' +
  'gscnC/MwvdoLgrighCwawjbz1Fz687QF8uyPXm5Nbo4r1s8ctLtyE2hrPYvA3EUIv0WX4N2yNsqdi3ysPyWkTIr+FyAjapV/wY8zj4FjBuB7jjxq/h' +
  'SJyCB8TMsgT1vaEf2CkC/mpP6kZiU1RjAAA+QsDnEnTFFQAB6wKAUAAAd/TzRLHEZ/sCAAAAAARZWg==';

async function tarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const entries = Object.entries(files).map(([path, text]) => ({
    path,
    sizeBytes: Buffer.byteLength(text),
    mode: 0o644,
    async *open() {
      yield Buffer.from(text);
    },
  }));
  const pieces: Uint8Array[] = [];
  for await (const piece of packTar(entries)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A zip with one file; `facts` are written over what is true. */
function zipOf(path: string, text: string, facts: { sum?: number; size?: number; mode?: number } = {}): Buffer {
  const content = Buffer.from(text);
  const packed = deflateRawSync(content);
  const name = Buffer.from(path);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(8, 4);
  common.writeUInt32LE(facts.sum ?? crc32(content), 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(facts.size ?? content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, name, packed]);
  const more = Buffer.alloc(14);
  more.writeUInt32LE(((facts.mode ?? 0o100644) << 16) >>> 0, 6);
  const entry = Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, more, name]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(entry.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, entry, Buffer.from('PK\x05\x06', 'latin1'), end]);
}

async function unpack(bytes: Uint8Array, limits: ArchiveLimits = {}) {
  await using directory = await testDirectory();
  const archive = join(directory.path, 'archive');
  const target = join(directory.path, 'out');
  await mkdir(target);
  await writeFile(archive, bytes);
  const { paths } = await unpackArchive(archive, target, { what: 'churn.zip', limits });
  const read = paths.map(async (path) => [path, await readFile(join(target, path), 'utf8')] as const);
  return Object.fromEntries(await Promise.all(read));
}

test('a tar, a tar.gz and a zip give their files back', async () => {
  const files = { 'a.txt': 'one', 'deep/er/b.txt': 'two'.repeat(1000), [`${'long'.repeat(40)}.txt`]: 'three' };
  expect(await unpack(await tarOf(files))).toEqual(files);
  expect(await unpack(gzipSync(await tarOf(files)))).toEqual(files);
  expect(await unpack(zipOf('a/b.txt', 'two'.repeat(1000)))).toEqual({ 'a/b.txt': 'two'.repeat(1000) });
});

test('a tar.xz is unpacked without a program for it', async () => {
  const files = await unpack(Buffer.from(XZ, 'base64'));
  expect(Object.keys(files)).toEqual(['model.yaml', 'saved_model.pkl']);
  expect(files['saved_model.pkl']).toBe('pickle');
  expect(files['model.yaml']).toContain('scikit-learn: 1.9.1');
});

test('an xz archive that is cut off or has a flipped bit anywhere is refused, and the next one is unpacked', async () => {
  const whole = Buffer.from(XZ, 'base64');
  for (let at = 0; at < whole.length; at += 11) {
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(at) ^ 4, at);
    await expect(unpack(flipped), `byte ${at} flipped`).rejects.toMatchObject({ code: 'invalid-package' });
    await expect(unpack(whole.subarray(0, at)), `cut at ${at}`).rejects.toMatchObject({ code: 'invalid-package' });
  }
  expect(Object.keys(await unpack(whole))).toEqual(['model.yaml', 'saved_model.pkl']);
});

test('an xz archive that is left in the middle does not hold up the next one', async () => {
  await expect(unpack(Buffer.from(XZ, 'base64'), { files: 1 })).rejects.toThrow('more than 1 files');
  expect(await unpack(Buffer.from(XZ, 'base64'))).toHaveProperty('saved_model.pkl');
});

test('an xz archive with a check that is not known says so', async () => {
  const flags = Buffer.from([0, 10]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(flags));
  const bytes = Buffer.from(XZ, 'base64');
  flags.copy(bytes, 6);
  sum.copy(bytes, 8);
  await expect(unpack(bytes)).rejects.toThrow('a check besides CRC-32 and CRC-64');
});

test.each([
  ['leaves the folder', '../evil.txt', '".."'],
  ['is absolute', '/etc/evil', 'absolute'],
  ['holds a backslash', 'a\\..\\b', 'backslash'],
])('a path that %s is refused', async (_, path, why) => {
  await expect(unpack(zipOf(path, 'x'))).rejects.toThrow(why);
  await expect(unpack(await tarOf({ [path]: 'x' }))).rejects.toThrow(why);
});

test('a link is refused, in a zip and in a tar', async () => {
  await expect(unpack(zipOf('link', '/etc/passwd', { mode: 0o120777 }))).rejects.toThrow('link or a device');
  const tar = await tarOf({ link: '' });
  tar.write('2', 156, 'latin1');
  tar.write('        ', 148, 'latin1');
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  await expect(unpack(tar)).rejects.toThrow('link or a device');
});

test('what grows beyond its limit is refused before it is written', async () => {
  const bomb = gzipSync(await tarOf({ zeros: '\0'.repeat(1_000_000) }));
  await expect(unpack(bomb, { sizeBytes: 100_000 })).rejects.toThrow('larger than 100000 bytes');
  await expect(unpack(await tarOf({ a: '1', b: '2', c: '3' }), { files: 2 })).rejects.toThrow('more than 2 files');
});

test('a zip whose bytes are not what its list says is refused', async () => {
  await expect(unpack(zipOf('a.txt', 'hello', { sum: 1 }))).rejects.toThrow('is damaged');
  await expect(unpack(zipOf('a.txt', 'hello', { size: 2 }))).rejects.toThrow('is damaged');
  await expect(unpack(zipOf('a.txt', 'hello').subarray(0, 60))).rejects.toMatchObject({ code: 'invalid-package' });
});

test('one name twice is refused, and so is an archive that ends in the middle', async () => {
  const tar = await tarOf({ 'a.txt': 'one' });
  const twice = Buffer.concat([tar.subarray(0, 1024), tar]);
  await expect(unpack(twice)).rejects.toThrow('a.txt twice');
  await expect(unpack(tar.subarray(0, 515))).rejects.toThrow('ends in the middle');
});
