/**
 * Deterministic tar: the bytes follow from paths, sizes, modes and contents alone (owner 0, time 0, ustar, with a pax
 * header where ustar has no room). So a tar layer need not be stored: it is rebuilt from the files it holds.
 */

/** A member of a tar. */
export interface TarEntry {
  /** That of a directory ends in a slash. */
  readonly path: string;
  /** 0 for anything but a file. */
  readonly sizeBytes: number;
  /** Permission bits. */
  readonly mode: number;
  /** Default: a file. */
  readonly kind?: 'file' | 'directory' | 'link' | 'hardlink';
  /** Where a link leads, as it says so. */
  readonly target?: string;
  /** Number of its user and group. Default: 0. */
  readonly owner?: number;
}

const BLOCK = 512;
const MAX_OCTAL_SIZE = 0o77777777777;

/** The two empty blocks that end a tar. */
export const TAR_END: Uint8Array = Buffer.alloc(2 * BLOCK);

const ZEROS = Buffer.alloc(BLOCK);

/** Everything that stands before a file's bytes. */
export function tarHeader(entry: TarEntry): Uint8Array {
  const split = splitName(entry.path);
  const { name, prefix } = split ?? { name: shortName(entry.path), prefix: '' };
  const { mode, kind = 'file', target = '', owner } = entry;
  const size = Math.min(entry.sizeBytes, MAX_OCTAL_SIZE);
  const link = isShort(target) ? target : shortName(target);
  const header = block({ name, prefix, mode, size, type: TYPES[kind], link, owner });
  const pax = paxOf(entry, split !== undefined);
  if (pax.length === 0) return header;
  const before = block({ name: 'PaxHeader/entry', mode: 0o644, size: pax.length, type: 'x' });
  return Buffer.concat([before, pax, tarPadding(pax.length), header]);
}

/** Types of members. Source: POSIX.1-2017, pax, "ustar Interchange Format". */
const TYPES = { file: '0', hardlink: '1', link: '2', directory: '5' } as const;

/** The zeros that fill a file's last block. */
export function tarPadding(sizeBytes: number): Uint8Array {
  return ZEROS.subarray(0, paddingOf(sizeBytes));
}

/** Streams the tar of some files, in the order given. */
export async function* packTar(
  entries: Iterable<TarEntry & { open(): AsyncIterable<Uint8Array> }>,
): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    yield tarHeader(entry);
    yield* entry.open();
    const padding = tarPadding(entry.sizeBytes);
    if (padding.length > 0) yield padding;
  }
  yield TAR_END;
}

/** The bytes of a tar of these files, headers and padding included. */
export function tarSize(entries: Iterable<TarEntry>): number {
  let bytes = TAR_END.length;
  for (const entry of entries) bytes += headerSize(entry) + entry.sizeBytes + paddingOf(entry.sizeBytes);
  return bytes;
}

function headerSize(entry: TarEntry): number {
  const pax = paxOf(entry, splitName(entry.path) !== undefined).length;
  return pax === 0 ? BLOCK : 2 * BLOCK + pax + paddingOf(pax);
}

function paddingOf(sizeBytes: number): number {
  return (BLOCK - (sizeBytes % BLOCK)) % BLOCK;
}

/** What ustar has no room for. */
function paxOf({ path, sizeBytes, target = '' }: TarEntry, nameFits: boolean): Buffer {
  if (nameFits && sizeBytes <= MAX_OCTAL_SIZE && isShort(target)) return NOTHING;
  const name = nameFits ? '' : paxRecord('path', path);
  const link = isShort(target) ? '' : paxRecord('linkpath', target);
  return Buffer.from(name + link + (sizeBytes > MAX_OCTAL_SIZE ? paxRecord('size', String(sizeBytes)) : ''));
}

const NOTHING = Buffer.alloc(0);

/** What is the same in every header. */
const BLANK = blankHeader();

function blankHeader(): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  for (const [offset, width] of [
    [108, 8],
    [116, 8],
    [136, 12],
    [329, 8],
    [337, 8],
  ] as const)
    writeOctal(bytes, 0, offset, width);
  bytes.fill(' ', 148, 156);
  bytes.write('ustar\x0000', 257, 'latin1');
  return bytes;
}

interface Block {
  readonly name: string;
  readonly prefix?: string;
  readonly mode: number;
  readonly size: number;
  readonly type: string;
  readonly link?: string;
  readonly owner?: number | undefined;
}

function block({ name, prefix = '', mode, size, type, link = '', owner = 0 }: Block): Buffer {
  const bytes = Buffer.from(BLANK);
  bytes.write(name, 0, 100, 'utf8');
  writeOctal(bytes, mode, 100, 8);
  writeOctal(bytes, size, 124, 12);
  bytes.write(type, 156, 'ascii');
  if (link !== '') bytes.write(link, 157, 100, 'ascii');
  if (owner !== 0) for (const at of [108, 116]) writeOctal(bytes, owner, at, 8);
  if (prefix !== '') bytes.write(prefix, 345, 155, 'utf8');
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) sum += bytes[at] ?? 0;
  writeOctal(bytes, sum, 148, 7);
  return bytes;
}

/** Writes digits up to the last byte of a field, which stays zero. */
function writeOctal(bytes: Buffer, value: number, offset: number, width: number): void {
  let left = value;
  for (let at = offset + width - 2; at >= offset; at -= 1) {
    bytes[at] = 0x30 + (left % 8);
    left = Math.floor(left / 8);
  }
  bytes[offset + width - 1] = 0;
}

/** Where an ASCII path fits ustar's name and prefix fields. */
function splitName(path: string): { readonly name: string; readonly prefix: string } | undefined {
  if (isShort(path)) return { name: path, prefix: '' };
  if (!ASCII.test(path)) return undefined;
  const at = path.indexOf('/', path.length - 101);
  return at > 0 && at <= 155 && at < path.length - 1
    ? { name: path.slice(at + 1), prefix: path.slice(0, at) }
    : undefined;
}

const ASCII = /^[\x20-\x7e]*$/;

/** Whether a text fits the fields for a name and for a link. */
function isShort(text: string): boolean {
  return text.length <= 100 && ASCII.test(text);
}

function shortName(path: string): string {
  return path.replace(/[^\x20-\x7e]/gu, '_').slice(-100);
}

/** `<length> key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return `${length} ${key}=${value}\n`;
}
