/**
 * Deterministic tar: the bytes follow from paths, sizes, modes and contents alone (owner 0, time 0, ustar, with a pax
 * header where ustar has no room). So a tar layer need not be stored: it is rebuilt from the files it holds.
 */

/** A file in a tar. */
export interface TarEntry {
  readonly path: string;
  readonly sizeBytes: number;
  /** 0o644 or 0o755. */
  readonly mode: number;
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
  const header = block(name, prefix, entry.mode, Math.min(entry.sizeBytes, MAX_OCTAL_SIZE), '0');
  if (split !== undefined && entry.sizeBytes <= MAX_OCTAL_SIZE) return header;
  const pax = paxOf(entry, split !== undefined);
  return Buffer.concat([block('PaxHeader/entry', '', 0o644, pax.length, 'x'), pax, tarPadding(pax.length), header]);
}

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
  const fits = splitName(entry.path) !== undefined;
  if (fits && entry.sizeBytes <= MAX_OCTAL_SIZE) return BLOCK;
  const pax = paxOf(entry, fits).length;
  return 2 * BLOCK + pax + paddingOf(pax);
}

function paddingOf(sizeBytes: number): number {
  return (BLOCK - (sizeBytes % BLOCK)) % BLOCK;
}

/** What ustar has no room for. */
function paxOf({ path, sizeBytes }: TarEntry, nameFits: boolean): Buffer {
  const name = nameFits ? '' : paxRecord('path', path);
  return Buffer.from(sizeBytes > MAX_OCTAL_SIZE ? name + paxRecord('size', String(sizeBytes)) : name);
}

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

function block(name: string, prefix: string, mode: number, size: number, type: string): Buffer {
  const bytes = Buffer.from(BLANK);
  bytes.write(name, 0, 100, 'utf8');
  writeOctal(bytes, mode, 100, 8);
  writeOctal(bytes, size, 124, 12);
  bytes.write(type, 156, 'ascii');
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
  if (!/^[\x20-\x7e]*$/.test(path)) return undefined;
  if (path.length <= 100) return { name: path, prefix: '' };
  const at = path.indexOf('/', path.length - 101);
  return at > 0 && at <= 155 ? { name: path.slice(at + 1), prefix: path.slice(0, at) } : undefined;
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
