import { type FileHandle, open } from 'node:fs/promises';
import { constants, gunzipSync } from 'node:zlib';
import { createDigester, type Digest } from './digest.ts';
import { IngotError } from './errors.ts';
import { diskError } from './package/unpack.ts';

/** A part of a file: where it begins, and its bytes. */
export interface Region {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A file in a tar, and where its bytes lie. */
export interface TarMember extends Region {
  readonly path: string;
  /** Permission bits: 644, or 755 for what its owner may run. */
  readonly mode: number;
}

/** A tar that is read by its members' places, opened. */
export interface OpenArchive extends AsyncDisposable {
  /** Members by path. */
  readonly members: ReadonlyMap<string, TarMember>;
  /** Streams some bytes of the file. */
  read(region: Region): AsyncIterable<Uint8Array>;
  /** Lists the members of a tar that is a member itself. */
  inner(region: Region, what: string): Promise<readonly TarMember[]>;
}

const BLOCK = 512;
const READ_BYTES = 1024 * 1024;
const MOST_MEMBERS = 1_000_000;
const MOST_PAX_BYTES = 64 * 1024;

/**
 * Opens a tar from anywhere: only its headers are read, one small read each. What is not a plain file under a plain,
 * relative path that stands only once is refused, as is a tar that ends early.
 * @throws IngotError `path-not-found`, `integrity` for what is cut off, `invalid-package` for what no bundle holds.
 */
export async function openArchive(path: string): Promise<OpenArchive> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw diskError(error, path, 'import');
  });
  try {
    const { size } = await file.stat();
    const listed = await listMembers(file, { offset: 0, sizeBytes: size }, path);
    const members = new Map(listed.map((member) => [member.path, member]));
    if (members.size !== listed.length) throw notPlain(path, 'two files of one name');
    return {
      members,
      read: (region) => readRegion(file, region),
      inner: (region, what) => listMembers(file, region, what),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Says whether a file begins as bundles do: with a file `oci-layout` in a tar. False also where there is none.
 * @throws IngotError `usage` for a bundle that somebody has compressed.
 */
export async function looksLikeBundle(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return false;
  try {
    if (!(await file.stat()).isFile()) return false;
    const { bytesRead, buffer } = await file.read(Buffer.alloc(8 * BLOCK), 0, 8 * BLOCK, 0);
    if (isFirstBlock(buffer.subarray(0, bytesRead))) return true;
    if (isFirstBlock(gunzipped(buffer.subarray(0, bytesRead))))
      throw new IngotError('usage', `${path} is a bundle that was compressed, and is read as it was exported`, {
        operation: 'import',
        hint: 'gunzip it first   (models and wheels hardly get smaller)',
      });
    return false;
  } finally {
    await file.close();
  }
}

function isFirstBlock(bytes: Buffer): boolean {
  return bytes.length >= BLOCK && textIn(bytes, 0, 100) === 'oci-layout' && textIn(bytes, 257, 5) === 'ustar';
}

/** The beginning of what was compressed; empty for what was not. */
function gunzipped(beginning: Buffer): Buffer {
  if (beginning[0] !== 0x1f || beginning[1] !== 0x8b) return Buffer.alloc(0);
  try {
    return gunzipSync(beginning, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 64 * 1024 * 1024 });
  } catch {
    return Buffer.alloc(0); // Something else begins so, too.
  }
}

async function listMembers(file: FileHandle, { offset, sizeBytes }: Region, what: string): Promise<TarMember[]> {
  const found: TarMember[] = [];
  const end = offset + sizeBytes;
  let pax: Pax = {};
  for (let at = offset; ; ) {
    const header = await readHeader(file, at, end, what);
    at += BLOCK;
    if (header.every((byte) => byte === 0)) return found;
    checkSum(header, what);
    const size = pax.size ?? sizeIn(header, what);
    if (size > end - at) throw cutOff(what);
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === 'x') {
      if (size > MOST_PAX_BYTES || pax.isSet === true) throw notPlain(what, 'an oversize header');
      pax = paxIn(await readAt(file, at, size), what);
    } else if (type === '0' || type === '\0') {
      const path = plainPath(pax.path ?? nameIn(header), what);
      const isExecutable = (Number.parseInt(textIn(header, 100, 8), 8) & 0o100) !== 0;
      found.push({ path, offset: at, sizeBytes: size, mode: isExecutable ? 0o755 : 0o644 });
      if (found.length > MOST_MEMBERS) throw notPlain(what, `more than ${MOST_MEMBERS} files`);
      pax = {};
    } else if (type !== '5' || size > 0) throw notPlain(what, KINDS[type] ?? 'something that is no file');
    at += Math.ceil(size / BLOCK) * BLOCK;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  '1': 'a link',
  '2': 'a link',
  '3': 'a device',
  '4': 'a device',
  '6': 'a pipe',
  S: 'a sparse file',
};

async function readHeader(file: FileHandle, at: number, end: number, what: string): Promise<Buffer> {
  if (at + BLOCK > end) throw cutOff(what);
  return await readAt(file, at, BLOCK);
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let used = 0;
  while (used < length) {
    const { bytesRead } = await file.read(buffer, used, length - used, at + used);
    if (bytesRead === 0) throw cutOff('the file');
    used += bytesRead;
  }
  return buffer;
}

async function* readRegion(file: FileHandle, { offset, sizeBytes }: Region): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < sizeBytes; ) {
    const piece = await readAt(file, offset + at, Math.min(READ_BYTES, sizeBytes - at));
    at += piece.length;
    yield piece;
  }
}

/** What stands in an extended header before a file. */
interface Pax {
  readonly isSet?: true;
  readonly path?: string;
  readonly size?: number;
}

function paxIn(bytes: Buffer, what: string): Pax {
  let pax: Pax = { isSet: true };
  for (let at = 0; at < bytes.length; ) {
    const digits = /^[1-9][0-9]{0,5} /.exec(bytes.toString('latin1', at, at + 8))?.[0];
    const length = Number(digits);
    const record = bytes.toString('utf8', at + (digits?.length ?? 0), at + length - 1);
    if (digits === undefined || at + length > bytes.length || bytes[at + length - 1] !== 0x0a)
      throw notPlain(what, 'a malformed header');
    const equals = record.indexOf('=');
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === 'path') pax = { ...pax, path: value };
    else if (key === 'size' && /^[0-9]{1,15}$/.test(value)) pax = { ...pax, size: Number(value) };
    else if (key.startsWith('GNU.sparse')) throw notPlain(what, 'a sparse file');
    at += length;
  }
  return pax;
}

function checkSum(header: Buffer, what: string): void {
  const said = Number.parseInt(textIn(header, 148, 8).trim(), 8);
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) sum += at >= 148 && at < 156 ? 0x20 : (header[at] ?? 0);
  if (sum === said) return;
  throw new IngotError('integrity', `${what} is damaged or no tar: a header has another sum than it says`, {
    operation: 'import',
    hint: HINT,
  });
}

function sizeIn(header: Buffer, what: string): number {
  const text = textIn(header, 124, 12).trim();
  if (/^[0-7]{1,12}$/.test(text)) return Number.parseInt(text, 8);
  throw notPlain(what, 'a size that is no number');
}

function nameIn(header: Buffer): string {
  const prefix = textIn(header, 257, 5) === 'ustar' ? textIn(header, 345, 155) : '';
  const name = textIn(header, 0, 100);
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textIn(header: Buffer, at: number, length: number): string {
  const text = header.toString('utf8', at, at + length);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

function plainPath(path: string, what: string): string {
  const segments = path.split('/');
  const plain = segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..');
  if (plain && !/[\\\p{Cc}]/u.test(path) && path.length <= 4096) return path;
  throw notPlain(what, `a file with the path ${JSON.stringify(path.slice(0, 80))}`);
}

function cutOff(what: string): IngotError {
  return new IngotError('integrity', `${what} is cut off: it ends within a file`, { operation: 'import', hint: HINT });
}

const HINT = 'copy it again, and compare its SHA-256 with the one that `ingot export` printed';

function notPlain(what: string, why: string): IngotError {
  return new IngotError('invalid-package', `${what} holds ${why}, as no bundle does; nothing was read of it`, {
    operation: 'import',
  });
}

/**
 * Reads some bytes and checks them.
 * @throws IngotError `integrity` when they are others.
 */
export async function readChecked(
  archive: OpenArchive,
  { digest, ...region }: Region & { readonly digest: Digest },
  what: string,
): Promise<Buffer> {
  const digester = createDigester();
  const pieces: Uint8Array[] = [];
  for await (const piece of archive.read(region)) {
    digester.update(piece);
    pieces.push(piece);
  }
  if (digester.finish() === digest) return Buffer.concat(pieces);
  throw new IngotError('integrity', `${what} has other bytes than its digest says`, {
    operation: 'import',
    hint: HINT,
  });
}
