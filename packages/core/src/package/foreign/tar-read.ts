import { type ByteStream, broken, openByteStream } from './byte-stream.ts';

/** An entry of a tar, as it comes by. */
export interface TarItem {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly linkKind?: 'symlink' | 'hardlink';
  /** A character or block device, or a pipe. */
  readonly isDevice: boolean;
  /** Where a link leads, as the archive says. */
  readonly target?: string;
  /** Permission bits, set-user-id and the like included. */
  readonly mode: number;
  readonly sizeBytes: number;
  readonly executable: boolean;
  /** Where its bytes begin in the tar. */
  readonly start: number;
  /** The bytes of a file; what is not read is stepped over. */
  readonly body: AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
const MAX_HEADER_BYTES = 1024 * 1024;

/**
 * Walks the entries of a tar stream (ustar, pax and GNU long names), each before its bytes. Nothing is decided about
 * paths here: they are as the archive says.
 * @throws IngotError `invalid-package` for what is no tar or ends in the middle.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<TarItem> {
  const input = openByteStream(source, what);
  let long: LongFields = {};
  for (;;) {
    if (await input.ended()) return;
    const header = await input.take(BLOCK);
    if (header.every((byte) => byte === 0)) return await drain(input);
    checkSum(header, what);
    const type = String.fromCharCode(header[156] ?? 0);
    const sizeBytes = long.sizeBytes ?? readSize(header.subarray(124, 136), what);
    if ('xgLK'.includes(type)) {
      if (sizeBytes > MAX_HEADER_BYTES) throw broken(what, 'a name in it is longer than 1 MiB');
      const said = await input.take(sizeBytes);
      await input.take(paddingOf(sizeBytes));
      if (type === 'L') long = { ...long, path: textOf(said, 0, sizeBytes) };
      if (type === 'K') long = { ...long, target: textOf(said, 0, sizeBytes) };
      if (type === 'x') long = { ...long, ...readPax(said, what) };
      // Not every program that unpacks minds these, so that they would see other members.
      if (type === 'g' && Object.keys(readPax(said, what)).length > 0)
        throw broken(what, 'one header in it names all members that follow');
      continue;
    }
    const path = long.path || nameOf(header);
    const kind = kindOf(type);
    const mode = Number.parseInt(header.toString('latin1', 100, 107), 8) || 0;
    const target = long.target || textOf(header, 157, 100);
    long = {};
    const end = input.position() + sizeBytes;
    yield {
      path,
      kind: kind === 'file' && path.endsWith('/') ? 'folder' : kind,
      sizeBytes,
      executable: (mode & 0o100) !== 0,
      start: input.position(),
      mode,
      isDevice: '346'.includes(type),
      ...(kind === 'link' ? { target, linkKind: type === '1' ? 'hardlink' : 'symlink' } : {}),
      body: input.pieces(sizeBytes),
    };
    for await (const _ of input.pieces(end - input.position())) void _;
    await input.take(paddingOf(sizeBytes));
  }
}

function kindOf(type: string): TarItem['kind'] {
  if (type === '0' || type === '\0' || type === '7') return 'file';
  if (type === '5') return 'folder';
  return type === '1' || type === '2' ? 'link' : 'other';
}

function nameOf(header: Buffer): string {
  const isUstar = header.toString('latin1', 257, 262) === 'ustar' && header[263] === 0x30;
  const prefix = isUstar ? textOf(header, 345, 155) : '';
  return prefix === '' ? textOf(header, 0, 100) : `${prefix}/${textOf(header, 0, 100)}`;
}

function textOf(header: Buffer, from: number, length: number): string {
  return header.toString('utf8', from, from + length).replace(/\0.*$/s, '');
}

function readSize(field: Buffer, what: string): number {
  if (((field[0] ?? 0) & 0x80) !== 0) return wholeSize(Number(field.readBigUInt64BE(4)), what);
  const text = field.toString('latin1').replaceAll('\0', ' ').trim();
  return wholeSize(text === '' ? 0 : Number.parseInt(text, 8), what);
}

function wholeSize(size: number, what: string): number {
  if (!Number.isSafeInteger(size) || size < 0) throw broken(what, 'a size in it is no number');
  return size;
}

function checkSum(header: Buffer, what: string): void {
  let sum = 8 * 32;
  header.forEach((byte, at) => {
    if (at < 148 || at >= 156) sum += byte;
  });
  const said = Number.parseInt(header.toString('latin1', 148, 156).replaceAll('\0', ' ').trim(), 8);
  if (said !== sum) throw broken(what, 'it is not a tar, or it is damaged');
}

/** What stands in a header before the entry's own, for want of room. */
interface LongFields {
  path?: string;
  target?: string;
  sizeBytes?: number;
}

/**
 * `<length> key=value\n` records; a value may hold line breaks, and an empty one takes back what stands in the header's
 * place. Source: POSIX, pax, "pax Extended Header".
 */
function readPax(records: Buffer, what: string): LongFields {
  const found: LongFields = {};
  for (let at = 0; at < records.length && records[at] !== 0; ) {
    const space = records.indexOf(' ', at);
    const length = records.toString('latin1', at, Math.max(at, space));
    const end = at + Number(length);
    if (!/^\d{1,7}$/.test(length) || end <= space + 1 || records[end - 1] !== 0x0a)
      throw broken(what, 'a header in it is damaged');
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(records.toString('utf8', space + 1, end - 1)) ?? [];
    at = end;
    if (key.startsWith('GNU.sparse.')) throw broken(what, 'it holds a file with holes');
    if (value === '') continue;
    if (key === 'path') found.path = value;
    if (key === 'linkpath') found.target = value;
    if (key === 'size') found.sizeBytes = wholeSize(Number(value), what);
  }
  return found;
}

function paddingOf(sizeBytes: number): number {
  return (BLOCK - (sizeBytes % BLOCK)) % BLOCK;
}

async function drain(input: ByteStream): Promise<void> {
  for await (const _ of input.rest()) void _;
}
