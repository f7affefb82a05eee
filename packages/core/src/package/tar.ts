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

/** Everything that stands before a file's bytes. */
export function tarHeader(entry: TarEntry): Uint8Array {
  const records: [string, string][] = [];
  const split = splitName(entry.path);
  if (split === undefined) records.push(['path', entry.path]);
  if (entry.sizeBytes > MAX_OCTAL_SIZE) records.push(['size', String(entry.sizeBytes)]);
  const { name, prefix } = split ?? { name: shortName(entry.path), prefix: '' };
  const header = block(name, prefix, entry.mode, Math.min(entry.sizeBytes, MAX_OCTAL_SIZE), '0');
  if (records.length === 0) return header;
  const pax = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(''));
  return Buffer.concat([block('PaxHeader/entry', '', 0o644, pax.length, 'x'), pax, tarPadding(pax.length), header]);
}

/** The zeros that fill a file's last block. */
export function tarPadding(sizeBytes: number): Uint8Array {
  return Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK);
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
  for (const entry of entries) bytes += tarHeader(entry).length + entry.sizeBytes + tarPadding(entry.sizeBytes).length;
  return bytes;
}

function block(name: string, prefix: string, mode: number, size: number, type: string): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, width: number): void => {
    bytes.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset, 'ascii');
  };
  bytes.write(name, 0, 100, 'utf8');
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  bytes.fill(' ', 148, 156);
  bytes.write(type, 156, 'ascii');
  bytes.write('ustar\x0000', 257, 'latin1');
  octal(0, 329, 8);
  octal(0, 337, 8);
  bytes.write(prefix, 345, 155, 'utf8');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return bytes;
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
