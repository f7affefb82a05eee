import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInflateRaw } from 'node:zlib';
import { systemErrorCode } from '../../errors.ts';
import { broken } from './byte-stream.ts';
import { crc32 } from './crc.ts';

/** An entry of a zip file. */
export interface ZipItem {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link';
  readonly sizeBytes: number;
  readonly executable: boolean;
  /** Streams its bytes, checked against its sum and size. */
  open(): AsyncIterable<Uint8Array>;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const ENTRY = 0x02014b50;
const MAX_TAIL = 22 + 0xffff;
const MAX_DIRECTORY = 64 * 1024 * 1024;
const NOT_HERE = 0xffffffff;

/**
 * Lists a zip file by its central directory (zip64 too); stored and deflated entries can be opened.
 * @throws IngotError `invalid-package` for what is no zip, is encrypted or ends in the middle.
 */
export async function readZip(path: string, what: string): Promise<readonly ZipItem[]> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const read = async (position: number, length: number): Promise<Buffer> => {
      if (!(position >= 0 && position + length <= size)) throw broken(what, 'its list of files is damaged');
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await handle.read(buffer, 0, length, position);
      if (bytesRead < length) throw broken(what, 'it ends in the middle');
      return buffer;
    };
    const { count, offset, sizeBytes } = await findDirectory(read, size, what);
    if (sizeBytes > MAX_DIRECTORY) throw broken(what, 'its list of files is damaged');
    return listEntries(await read(offset, sizeBytes), { count, file: path, sizeBytes: size, what });
  } finally {
    await handle.close();
  }
}

type Read = (position: number, length: number) => Promise<Buffer>;

interface Directory {
  readonly count: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

async function findDirectory(read: Read, size: number, what: string): Promise<Directory> {
  const start = Math.max(0, size - MAX_TAIL);
  const tail = await read(start, size - start);
  const at = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (at < 0 || at + 22 > tail.length || tail.readUInt32LE(at) !== END) throw broken(what, 'it is not a zip file');
  const found = {
    count: tail.readUInt16LE(at + 10),
    sizeBytes: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  if (found.offset !== NOT_HERE && found.sizeBytes !== NOT_HERE && found.count !== 0xffff) return found;
  if (at < 20) throw broken(what, 'its list of files is damaged');
  const record = await read(Number(tail.readBigUInt64LE(at - 12)), 56);
  if (record.readUInt32LE(0) !== END64) throw broken(what, 'its list of files is damaged');
  return {
    count: Number(record.readBigUInt64LE(32)),
    sizeBytes: Number(record.readBigUInt64LE(40)),
    offset: Number(record.readBigUInt64LE(48)),
  };
}

/** The file that entries lie in. */
interface Archive {
  readonly file: string;
  readonly sizeBytes: number;
  readonly what: string;
}

function listEntries(directory: Buffer, { count, ...archive }: Archive & { readonly count: number }): ZipItem[] {
  const { what } = archive;
  const items: ZipItem[] = [];
  let at = 0;
  while (items.length < count) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== ENTRY)
      throw broken(what, 'its list of files is damaged');
    const [nameLength, extraLength, noteLength] = [28, 30, 32].map((offset) => directory.readUInt16LE(at + offset));
    const end = at + 46 + (nameLength ?? 0);
    const extra = directory.subarray(end, end + (extraLength ?? 0));
    items.push(itemOf(directory.subarray(at, end), extra, archive));
    at = end + (extraLength ?? 0) + (noteLength ?? 0);
  }
  return items;
}

function itemOf(entry: Buffer, extra: Buffer, archive: Archive): ZipItem {
  const path = entry.toString('utf8', 46);
  const sizes = { unpacked: entry.readUInt32LE(24), packed: entry.readUInt32LE(20), offset: entry.readUInt32LE(42) };
  readZip64(sizes, extra);
  const mode = entry.readUInt32LE(38) >>> 16;
  const isLink = (mode & 0o170000) === 0o120000;
  const facts = {
    method: entry.readUInt16LE(10),
    encrypted: (entry.readUInt16LE(8) & 1) === 1,
    sum: entry.readUInt32LE(16),
    ...sizes,
  };
  return {
    path,
    kind: path.endsWith('/') ? 'folder' : isLink ? 'link' : 'file',
    sizeBytes: sizes.unpacked,
    executable: (mode & 0o100) !== 0,
    open: () => openItem(archive, path, facts),
  };
}

/** Sizes above 4 GiB lie in the extra field 1, in this order, only those that did not fit. */
function readZip64(sizes: { unpacked: number; packed: number; offset: number }, extra: Buffer): void {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let value = at + 4;
    for (const key of ['unpacked', 'packed', 'offset'] as const) {
      if (sizes[key] !== NOT_HERE || value + 8 > extra.length) continue;
      sizes[key] = Number(extra.readBigUInt64LE(value));
      value += 8;
    }
  }
}

interface ItemFacts {
  readonly method: number;
  readonly encrypted: boolean;
  readonly sum: number;
  readonly unpacked: number;
  readonly packed: number;
  readonly offset: number;
}

async function* openItem(
  { file, sizeBytes: end, what }: Archive,
  path: string,
  facts: ItemFacts,
): AsyncGenerator<Uint8Array> {
  if (facts.encrypted) throw broken(what, `${path} in it is encrypted`);
  if (facts.method !== 0 && facts.method !== 8) throw broken(what, `${path} is compressed in an unknown way`);
  if (!(facts.offset + 30 + facts.packed <= end)) throw broken(what, `${path} in it is damaged`);
  const start = await dataStart(file, facts.offset, what);
  let sum = 0;
  let sizeBytes = 0;
  try {
    for await (const piece of unpacked(file, start, facts)) {
      sizeBytes += piece.length;
      if (sizeBytes > facts.unpacked) break;
      sum = crc32(piece, sum);
      yield piece;
    }
  } catch (error) {
    throw systemErrorCode(error)?.startsWith('Z_') === true ? broken(what, `${path} in it is damaged`) : error;
  }
  if (sizeBytes !== facts.unpacked || sum !== facts.sum) throw broken(what, `${path} in it is damaged`);
}

async function* unpacked(file: string, start: number, { packed, method }: ItemFacts): AsyncGenerator<Uint8Array> {
  if (packed === 0) return;
  const stored = createReadStream(file, { start, end: start + packed - 1 });
  if (method === 0) {
    yield* stored;
    return;
  }
  const inflate = createInflateRaw();
  stored.on('error', (error) => inflate.destroy(error));
  try {
    yield* stored.pipe(inflate);
  } finally {
    stored.destroy();
    inflate.destroy();
  }
}

async function dataStart(file: string, offset: number, what: string): Promise<number> {
  const handle = await open(file, 'r');
  try {
    const header = Buffer.alloc(30);
    const { bytesRead } = await handle.read(header, 0, 30, offset);
    if (bytesRead < 30 || header.readUInt32LE(0) !== 0x04034b50) throw broken(what, 'it is damaged');
    return offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await handle.close();
  }
}
