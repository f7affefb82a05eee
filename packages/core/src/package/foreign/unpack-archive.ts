import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { IngotError, systemErrorCode } from '../../errors.ts';
import { whyUnsafePath } from '../paths.ts';
import { diskError } from '../unpack.ts';
import { broken } from './byte-stream.ts';
import { readTar } from './tar-read.ts';
import { isXz, unpackXz } from './xz.ts';
import { readZip } from './zip-read.ts';

/** What an archive may hold at most. */
export interface ArchiveLimits {
  /** Default: 100,000. */
  readonly files?: number;
  /** Default: 200 times the archive's own size, and 64 MiB. */
  readonly sizeBytes?: number;
}

/** What was unpacked. */
export interface UnpackedArchive {
  /** In the order of the archive. */
  readonly paths: readonly string[];
  readonly sizeBytes: number;
}

const MAX_FILES = 100_000;
const MAX_GROWTH = 200;
const SPARE_BYTES = 64 * 1024 * 1024;
/** What a tar may hold besides the bytes of its files: a header and padding for each, a long name, an end. */
const TAR_BYTES = 4096;

/** Says how a file is packed by its first bytes; undefined when it is no archive that is known here. */
export async function archiveKind(path: string): Promise<'zip' | 'gzip' | 'xz' | 'tar' | undefined> {
  const handle = await open(path, 'r');
  try {
    const head = Buffer.alloc(512);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    const start = head.subarray(0, bytesRead);
    if (start.length >= 4 && start.readUInt32LE(0) === 0x04034b50) return 'zip';
    if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
    if (isXz(start)) return 'xz';
    return start.toString('latin1', 257, 262) === 'ustar' ? 'tar' : undefined;
  } finally {
    await handle.close();
  }
}

/**
 * Unpacks a zip, tar, tar.gz or tar.xz into an empty directory, streaming. Refused before a byte is written for it:
 * a path that leaves the directory, links, devices, two names for one file, more files or bytes than allowed.
 * @throws IngotError `invalid-package`, `disk-full`, `interrupted`.
 */
export async function unpackArchive(
  path: string,
  directory: string,
  options: { readonly what: string; readonly limits?: ArchiveLimits; readonly signal?: AbortSignal },
): Promise<UnpackedArchive> {
  const { what, signal } = options;
  const kind = await archiveKind(path);
  if (kind === undefined) throw broken(what, 'it is no zip, tar, tar.gz or tar.xz');
  const { size } = await stat(path);
  const keeper = new Keeper(directory, what, {
    files: options.limits?.files ?? MAX_FILES,
    sizeBytes: options.limits?.sizeBytes ?? size * MAX_GROWTH + SPARE_BYTES,
  });
  if (kind === 'zip') {
    for (const item of await readZip(path, what)) await keeper.take(item, item.open(), signal);
    return keeper;
  }
  await takeTar(createReadStream(path), kind, keeper, signal);
  return keeper;
}

/**
 * Unpacks a tar, or a tar.gz, that comes as a stream, into a directory; as {@link unpackArchive}. Files that are there
 * already are never written over.
 * @param options `packedBytes`: how many bytes come; how far they may grow follows from it.
 * @throws IngotError as {@link unpackArchive}, and as reading the stream does.
 */
export async function unpackTarStream(
  source: AsyncIterable<Uint8Array>,
  directory: string,
  options: {
    readonly what: string;
    readonly packing: 'gzip' | 'none';
    readonly packedBytes: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<UnpackedArchive> {
  const { what, packing, packedBytes, signal } = options;
  const sizeBytes = packedBytes * (packing === 'gzip' ? MAX_GROWTH : 1) + SPARE_BYTES;
  const keeper = new Keeper(directory, what, { files: MAX_FILES, sizeBytes });
  const raw = Readable.from(source, { objectMode: false });
  await takeTar(raw, packing === 'gzip' ? 'gzip' : 'tar', keeper, signal);
  return keeper;
}

async function takeTar(
  raw: Readable,
  kind: 'gzip' | 'xz' | 'tar',
  keeper: Keeper,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { what } = keeper;
  const tar = bounded(unpacked(raw, kind, what), keeper.mostTarBytes, what);
  try {
    for await (const item of readTar(tar, what)) await keeper.take(item, item.body, signal);
  } catch (error) {
    const code = systemErrorCode(error);
    throw code?.startsWith('Z_') === true || code === 'ERR_STREAM_PREMATURE_CLOSE' ? broken(what, `${code}`) : error;
  } finally {
    // Whoever reads a tar takes pieces one by one and leaves the rest; what unpacks it waits for the end.
    await tar.return(undefined);
    raw.destroy();
  }
}

function unpacked(raw: Readable, kind: 'gzip' | 'xz' | 'tar', what: string): AsyncIterable<Uint8Array> {
  if (kind === 'tar') return raw;
  if (kind === 'xz') return unpackXz(raw, what);
  const gunzip = createGunzip();
  raw.on('error', (error) => gunzip.destroy(error));
  return raw.pipe(gunzip);
}

/** Ends with an error when more comes than the files of an archive and their headers may take. */
async function* bounded(source: AsyncIterable<Uint8Array>, most: number, what: string): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  for await (const piece of source) {
    sizeBytes += piece.length;
    if (sizeBytes > most) throw broken(what, `unpacked it would be larger than ${most} bytes`);
    yield piece;
  }
}

interface Item {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly sizeBytes: number;
  readonly executable: boolean;
}

/** Writes what an archive brings, as long as it keeps to the limits. */
class Keeper implements UnpackedArchive {
  readonly paths: string[] = [];
  readonly #seen = new Set<string>();
  readonly #folders = new Set<string>(['.']);
  sizeBytes = 0;
  readonly #directory: string;
  readonly what: string;
  readonly #limits: Required<ArchiveLimits>;

  constructor(directory: string, what: string, limits: Required<ArchiveLimits>) {
    this.#directory = directory;
    this.what = what;
    this.#limits = limits;
  }

  /** How large a tar of files within the limits is at most. */
  get mostTarBytes(): number {
    return this.#limits.sizeBytes + (this.#limits.files + 16) * TAR_BYTES;
  }

  async take(item: Item, body: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw new IngotError('interrupted', `unpacking ${this.what} was interrupted`);
    const path = item.path.replace(/^(?:\.\/)+/, '').replace(/\/+$/, '');
    if (item.kind === 'folder' || path === '' || path === '.') return;
    if (item.kind !== 'file') throw broken(this.what, `${path} in it is a link or a device`);
    const unsafe = whyUnsafePath(path);
    if (unsafe !== undefined) throw broken(this.what, `the path "${path.slice(0, 80)}" cannot be used: ${unsafe}`);
    this.#count(item.sizeBytes);
    if (this.#seen.has(path)) throw broken(this.what, `it holds ${path} twice`);
    this.#seen.add(path);
    this.#countFolders(path);
    this.paths.push(path);
    await this.#write(join(this.#directory, path), item, body);
  }

  #count(sizeBytes: number): void {
    this.sizeBytes += sizeBytes;
    if (this.paths.length >= this.#limits.files)
      throw broken(this.what, `it holds more than ${this.#limits.files} files`);
    if (!(this.sizeBytes <= this.#limits.sizeBytes))
      throw broken(this.what, `unpacked it would be larger than ${this.#limits.sizeBytes} bytes`);
  }

  /** Deep paths make a folder a part: together they may be no more than files. */
  #countFolders(path: string): void {
    for (let folder = dirname(path); !this.#folders.has(folder); folder = dirname(folder)) this.#folders.add(folder);
    if (this.#folders.size > this.#limits.files + 1)
      throw broken(this.what, `it holds more than ${this.#limits.files} folders`);
  }

  async #write(target: string, item: Item, body: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      await mkdir(dirname(target), { recursive: true });
      const mode = item.executable ? 0o755 : 0o644;
      await pipeline(Readable.from(body), createWriteStream(target, { flags: 'wx', mode }));
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR')
        throw broken(this.what, `${item.path} in it stands where another file does`);
      throw code?.startsWith('E') === true && !code.startsWith('ERR_') ? diskError(error, target, 'unpack') : error;
    }
  }
}
