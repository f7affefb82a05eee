import { readdir } from 'node:fs/promises';
import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isIngotError } from '../../errors.ts';
import { testDirectory } from '../testing/fixtures.ts';
import { crc32 } from './crc.ts';
import { type ArchiveLimits, unpackArchive } from './unpack-archive.ts';

interface Entry {
  readonly path: string;
  readonly content?: Buffer;
  readonly mode?: number;
  /** Written over the local header's place, sizes and sum, where they should not be true. */
  readonly lies?: Partial<Record<'offset' | 'packed' | 'unpacked' | 'sum' | 'method' | 'flags', number>>;
  readonly extra?: Buffer;
}

/** A zip file; `end` is written over its last record. */
function zip(entries: readonly Entry[], end: (record: Buffer) => void = () => undefined): Buffer {
  const locals: Buffer[] = [];
  const listed: Buffer[] = [];
  let offset = 0;
  for (const { path, content = Buffer.from('x'), mode = 0o100644, lies = {}, extra = Buffer.alloc(0) } of entries) {
    const name = Buffer.from(path);
    const packed = deflateRawSync(content);
    const facts = {
      method: 8,
      flags: 0,
      sum: crc32(content),
      packed: packed.length,
      unpacked: content.length,
      ...lies,
    };
    const common = Buffer.alloc(26);
    common.writeUInt16LE(facts.flags, 2);
    common.writeUInt16LE(facts.method, 4);
    common.writeUInt32LE(facts.sum, 10);
    common.writeUInt32LE(facts.packed, 14);
    common.writeUInt32LE(facts.unpacked, 18);
    common.writeUInt16LE(name.length, 22);
    locals.push(Buffer.from('PK\x03\x04', 'latin1'), common, name, packed);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(lies.offset ?? offset, 10);
    const own = Buffer.from(common);
    own.writeUInt16LE(extra.length, 24);
    listed.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), own, rest, name, extra);
    offset += 30 + name.length + packed.length;
  }
  const directory = Buffer.concat(listed);
  const record = Buffer.alloc(22);
  record.write('PK\x05\x06', 'latin1');
  record.writeUInt16LE(entries.length, 8);
  record.writeUInt16LE(entries.length, 10);
  record.writeUInt32LE(directory.length, 12);
  record.writeUInt32LE(offset, 16);
  end(record);
  return Buffer.concat([...locals, directory, record]);
}

/** A header of a tar with a true sum, and its content; `size` may lie. */
function tarEntry(path: string, content: Buffer, { type = '0', size = content.length.toString(8) } = {}): Buffer {
  const header = Buffer.alloc(512);
  header.write(path, 'utf8');
  header.write('0000644', 100);
  header.write(size, 124, 'latin1');
  header.write('        ', 148);
  header.write(type, 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** Unpacks into a folder between others; gives the names that are there afterwards, or what was thrown. */
async function unpack(bytes: Uint8Array, limits: ArchiveLimits = {}): Promise<readonly string[]> {
  await using directory = await testDirectory();
  await directory.write({ archive: bytes, 'out/.keep': '' });
  const before = (await readdir(directory.path)).sort();
  try {
    return (await unpackArchive(directory.join('archive'), directory.join('out'), { what: 'a.zip', limits })).paths;
  } finally {
    expect((await readdir(directory.path)).sort()).toEqual(before);
  }
}

const REFUSED = { code: 'invalid-package' };
const HUGE = Buffer.alloc(8, 0xff);

/** The extra field of a zip64 entry that says sizes and place of 2^64 - 1. */
const HUGE_EXTRA = Buffer.concat([Buffer.from([1, 0, 24, 0]), HUGE, HUGE, HUGE]);
const NOT_HERE = 0xffffffff;

test.each<[string, Buffer]>([
  ['a place beyond the end', zip([{ path: 'a', lies: { offset: 0x7fffffff } }])],
  ['a packed size beyond the end', zip([{ path: 'a', lies: { packed: 0x7fffffff } }])],
  ['bytes that are not deflated', zip([{ path: 'a', lies: { offset: 31 } }])],
  [
    'numbers of 2^64 in zip64',
    zip([{ path: 'a', extra: HUGE_EXTRA, lies: { packed: NOT_HERE, unpacked: NOT_HERE, offset: NOT_HERE } }]),
  ],
  [
    'a place of 2^64 only',
    zip([{ path: 'a', extra: Buffer.concat([Buffer.from([1, 0, 8, 0]), HUGE]), lies: { offset: NOT_HERE } }]),
  ],
  ['a list beyond the end', zip([{ path: 'a' }], (record) => record.writeUInt32LE(0x7fffffff, 16))],
  ['a list in zip64 that is nowhere', zip([{ path: 'a' }], (record) => record.writeUInt32LE(NOT_HERE, 16))],
  ['more entries than its list', zip([{ path: 'a' }], (record) => record.writeUInt16LE(9, 10))],
  ['a method nobody knows', zip([{ path: 'a', lies: { method: 14 } }])],
  ['encryption', zip([{ path: 'a', lies: { flags: 1 } }])],
  ['one name twice', zip([{ path: 'a' }, { path: './a' }])],
  ['a file where a folder stands', zip([{ path: 'a' }, { path: 'a/b' }])],
  ['a NUL in a name', zip([{ path: 'a\0b' }])],
  ['a folder that is a link', zip([{ path: 'a', mode: 0o120777, content: Buffer.from('/tmp') }, { path: 'a/b' }])],
])('a zip with %s is refused', async (_, bytes) => {
  await expect(unpack(bytes)).rejects.toMatchObject(REFUSED);
});

const pax = (text: string): Buffer => tarEntry('pax', Buffer.from(`${text.length + 3} ${text}\n`), { type: 'x' });

test.each<[string, readonly Buffer[]]>([
  ['a size that is no number', [pax('size=abc'), tarEntry('a', Buffer.from('x'))]],
  ['a negative size', [pax('size=-1'), tarEntry('a', Buffer.from('x'))]],
  ['a size of half a byte', [pax('size=0.5'), tarEntry('a', Buffer.from('x'))]],
  ['a size of 2^63', [tarEntry('a', Buffer.from('x'), { size: '\x80\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00' })]],
  [
    'a folder of 2^52 bytes',
    [tarEntry('a', Buffer.alloc(0), { type: '5', size: '\x80\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00' })],
  ],
  ['a size for what follows that is no number', [pax('size=NaN'), pax('path=b'), tarEntry('a', Buffer.from('x'))]],
  ['a path in pax that leaves', [pax('path=../../evil'), tarEntry('a', Buffer.from('x'))]],
  [
    'a name of GNU that is absolute',
    [tarEntry('l', Buffer.from('/etc/evil\0'), { type: 'L' }), tarEntry('a', Buffer.from('x'))],
  ],
  ['holes', [pax('GNU.sparse.realsize=99999999999'), tarEntry('a', Buffer.from('x'))]],
  ['a device', [tarEntry('a', Buffer.alloc(0), { type: '3' })]],
  ['a pipe', [tarEntry('a', Buffer.alloc(0), { type: '6' })]],
  ['a hard link', [tarEntry('a', Buffer.alloc(0), { type: '1' })]],
])('a tar with %s is refused, packed or not', async (_, parts) => {
  const bytes = Buffer.concat([...parts, Buffer.alloc(1024)]);
  await expect(unpack(bytes)).rejects.toMatchObject(REFUSED);
  await expect(unpack(gzipSync(bytes))).rejects.toMatchObject(REFUSED);
});

test('zeros without end behind a tar, and folders without end, are given up', async () => {
  const limits = { sizeBytes: 10_000, files: 10 };
  const end = gzipSync(Buffer.concat([tarEntry('a', Buffer.from('x')), Buffer.alloc(4_000_000)]));
  await expect(unpack(end, limits)).rejects.toThrow('unpacked it would be larger');
  const folders = gzipSync(
    Buffer.concat(Array.from({ length: 1000 }, (_, at) => tarEntry(`f${at}/`, Buffer.alloc(0), { type: '5' }))),
  );
  await expect(unpack(folders, limits)).rejects.toThrow('unpacked it would be larger');
});

test('deep paths may make no more folders than an archive may have files', async () => {
  const deep = (top: string): Entry => ({ path: `${top}/${'d/'.repeat(30)}f` });
  await expect(unpack(zip([deep('a'), deep('b')]), { files: 40 })).rejects.toThrow('more than 40 folders');
  await expect(unpack(zip([deep('a')]), { files: 40 })).resolves.toHaveLength(1);
});

/** Small archives of every kind, to be damaged. */
const SOUND: readonly Buffer[] = (() => {
  const files = ['MLmodel', 'data/model.pkl'].map((path) => ({ path, content: Buffer.from(path.repeat(9)) }));
  const tar = Buffer.concat([
    pax('mtime=1'),
    ...files.map(({ path, content }) => tarEntry(path, content)),
    Buffer.alloc(1024),
  ]);
  return [zip(files), tar, gzipSync(tar)];
})();

test('an archive with any bytes changed unpacks or is refused, and nothing else lies outside', async () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  const property = fc.asyncProperty(
    fc.constantFrom(...SOUND),
    fc.array(change, { minLength: 1, maxLength: 6 }),
    fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    async (sound, changes, cut) => {
      const bytes = Buffer.from(sound.subarray(0, cut === null ? sound.length : Math.floor(cut * sound.length)));
      for (const { at, byte } of changes) if (bytes.length > 0) bytes[Math.floor(at * bytes.length)] = byte;
      await unpack(bytes).catch((error: unknown) => {
        if (!isIngotError(error, 'invalid-package')) throw error;
      });
    },
  );
  await fc.assert(property, { numRuns: 150 });
});

test('an archive with any name writes below its folder, or is refused', async () => {
  const part = fc.constantFrom(
    '..',
    '.',
    '',
    'a',
    'A',
    'é',
    'e\u0301',
    '\u202e',
    '\0',
    'con',
    'x'.repeat(300),
    '\\',
    'C:',
  );
  const property = fc.asyncProperty(
    fc.array(part, { minLength: 1, maxLength: 4 }),
    fc.boolean(),
    async (parts, isTar) => {
      const path = parts.join('/');
      const bytes = isTar
        ? Buffer.concat([pax(`path=${path}`), tarEntry('a', Buffer.from('x')), Buffer.alloc(1024)])
        : zip([{ path }]);
      await unpack(bytes).catch((error: unknown) => {
        if (!isIngotError(error)) throw error;
      });
    },
  );
  await fc.assert(property, { numRuns: 150 });
});

test('an xz archive of many blocks takes memory for one dictionary', async () => {
  // Each block stores no byte and asks for 64 MiB.
  const header = Buffer.from([2, 0, 0x21, 1, 28, 0, 0, 0]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(header));
  const flags = Buffer.from([0, 0]);
  const flagSum = Buffer.alloc(4);
  flagSum.writeUInt32LE(crc32(flags));
  const start = Buffer.concat([Buffer.from('fd377a585a00', 'hex'), flags, flagSum]);
  const block = Buffer.concat([header, sum, Buffer.from([0, 0, 0, 0])]);
  const bytes = Buffer.concat([start, ...Array.from({ length: 2000 }, () => block)]);
  const before = process.memoryUsage().arrayBuffers;
  const began = process.cpuUsage();
  await expect(unpack(bytes)).rejects.toMatchObject(REFUSED);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(400 * 1024 * 1024);
  expect(process.cpuUsage(began).user).toBeLessThan(3_000_000);
});
