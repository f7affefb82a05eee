import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContentReader, Recipe } from '../content/content-store.ts';
import type { RestoreOptions } from '../content/restore.ts';
import { createDigester, type Digest } from '../digest.ts';
import { type ErrorCode, IngotError, isIngotError, systemErrorCode } from '../errors.ts';
import { makeDirectory } from '../make-directory.ts';
import { makeDurable } from '../make-durable.ts';
import type { HashedFile, HashedLayer } from './manifest.ts';
import { whyUnsafePath } from './paths.ts';
import { verifyTar } from './verify-tar.ts';

/** A file that was written, and what tells later that it is still the same. */
export interface WrittenFile extends HashedFile {
  readonly mtimeMs: number;
  /** Missing in records of old releases. */
  readonly ctimeMs?: number;
  readonly ino?: number;
}

/** What was unpacked. */
export interface Unpacked {
  readonly files: readonly WrittenFile[];
  /** Bytes that came from the store, and bytes that were on this machine. */
  readonly fetchedBytes: number;
  readonly foundBytes: number;
}

/** Options of {@link unpackPackage}; those of a restore go to the store. */
export interface UnpackOptions extends RestoreOptions {
  /** Permission bits to take away from every file. Default: none. */
  readonly without?: number;
}

/** A package whose files lie in a content store. */
export interface UnpackablePackage {
  readonly recipe: Recipe;
  readonly description: { readonly layers: readonly HashedLayer[] };
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Writes a package's files into a directory of its own, verified and durable. The directory must be fresh, or what an
 * interrupted call left, with its journal; when this fails the caller removes it or keeps it for the next call, and says
 * with {@link diskError} what could not be written: this directory has a temporary name, which tells a user nothing.
 * @throws IngotError `integrity`, `content-not-found`, `interrupted`; and the system's own errors.
 */
export async function unpackPackage(
  contents: ContentReader,
  stored: UnpackablePackage,
  directory: string,
  options: UnpackOptions = {},
): Promise<Unpacked> {
  const { layers } = stored.description;
  const files = layers.flatMap((layer) => (layer.kind === 'raw' ? [layer.file] : layer.files));
  checkFiles(files, stored.recipe);
  const folders = new Set(files.map(({ path }) => dirname(join(directory, path))));
  for (const folder of folders) await makeDirectory(folder);
  const unpacked = await (contents.restore === undefined
    ? readAll(contents, stored.recipe, files, directory, options)
    : restoreAll({ ...contents, restore: contents.restore }, stored.recipe, files, directory, options));
  const directories = parents(folders, directory);
  const written = { files: files.map(({ path }) => join(directory, path)), directories };
  await Promise.all([verifyTars(layers, directory, options.signal), makeDurable(directory, written)]);
  return unpacked;
}

/** Nothing is written of a package one of whose paths is not safe, or whose sizes contradict its recipe. */
function checkFiles(files: readonly HashedFile[], { contents }: Recipe): void {
  const sizes = new Map(contents.map(({ digest, sizeBytes }) => [digest, sizeBytes]));
  for (const { path, digest, sizeBytes } of files) {
    if (whyUnsafePath(path) !== undefined)
      throw new IngotError('invalid-package', `the path ${JSON.stringify(path)} is not safe`, { operation: 'unpack' });
    if ((sizes.get(digest) ?? sizeBytes) !== sizeBytes) throw wrongSize({ path, sizeBytes });
  }
}

function wrongSize({ path, sizeBytes }: Pick<HashedFile, 'path' | 'sizeBytes'>): IngotError {
  return new IngotError('integrity', `${path} has another size than its manifest says (${sizeBytes} bytes)`, {
    operation: 'unpack',
    details: { path },
  });
}

/** The folders with all that are between them and the directory, and the directory. */
function parents(folders: ReadonlySet<string>, directory: string): readonly string[] {
  const all = new Set<string>([directory]);
  for (const folder of folders) {
    for (let at = folder; !all.has(at) && at.length > directory.length; at = dirname(at)) all.add(at);
  }
  return [...all];
}

async function restoreAll(
  contents: Required<Pick<ContentReader, 'restore'>>,
  recipe: Recipe,
  files: readonly HashedFile[],
  directory: string,
  options: UnpackOptions,
): Promise<Unpacked> {
  const { without = 0, ...rest } = options;
  const targets = files.map(({ path, digest, mode }) => ({
    digest,
    path: join(directory, path),
    name: path,
    mode: mode & ~without,
  }));
  const { files: marks, fetchedBytes, foundBytes } = await contents.restore(recipe, targets, rest);
  return { files: files.map((file, n) => ({ ...file, ...(marks[n] ?? { mtimeMs: 0 }) })), fetchedBytes, foundBytes };
}

/** For readers that cannot restore: one file after another. */
async function readAll(
  contents: ContentReader,
  recipe: Recipe,
  files: readonly HashedFile[],
  directory: string,
  options: UnpackOptions,
): Promise<Unpacked> {
  const written: WrittenFile[] = [];
  for (const file of files)
    written.push(await writeFile(join(directory, file.path), file, read(contents, recipe, file, options), options));
  return { files: written, fetchedBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), foundBytes: 0 };
}

async function* read(
  contents: ContentReader,
  recipe: Recipe,
  file: HashedFile,
  options: UnpackOptions,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  const digester = createDigester();
  for await (const piece of contents.read(recipe, file.digest, { signal: options.signal })) {
    doneBytes += piece.length;
    if (doneBytes > file.sizeBytes) break;
    digester.update(piece);
    yield piece;
    options.onProgress?.({ phase: 'fetch', path: file.path, doneBytes, totalBytes: file.sizeBytes });
  }
  if (doneBytes !== file.sizeBytes) throw wrongSize(file);
  checkDigest(file, digester.finish());
}

function checkDigest({ path, digest }: HashedFile, found: Digest): void {
  if (found === digest) return;
  throw new IngotError('integrity', `${path} has other bytes than its manifest says`, {
    operation: 'unpack',
    details: { path },
  });
}

async function verifyTars(
  layers: readonly HashedLayer[],
  directory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const layer of layers) if (layer.kind === 'tar') await verifyTar(layer, directory, signal);
}

async function writeFile(
  target: string,
  file: HashedFile,
  bytes: AsyncIterable<Uint8Array>,
  options: UnpackOptions,
): Promise<WrittenFile> {
  const handle = await open(target, NEW_FILE, 0o600);
  try {
    for await (const piece of bytes) await writeAll(handle, piece);
    await handle.chmod(file.mode & ~(options.without ?? 0));
    const { mtimeMs, ctimeMs, ino } = await handle.stat();
    return { ...file, mtimeMs, ctimeMs, ino };
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
}

/** Says in Ingot's words why a directory could not be written; other errors stay what they are. */
export function diskError(error: unknown, directory: string, operation: string): unknown {
  const code = systemErrorCode(error);
  // Codes of Node itself (ERR_…) are no disk's.
  if (code === undefined || code.startsWith('ERR_') || isIngotError(error)) return error;
  const known: Readonly<Record<string, readonly [ErrorCode, string, string]>> = {
    ENOSPC: ['disk-full', 'the disk is full', 'free some space: ingot cache prune'],
    EDQUOT: ['disk-full', 'the disk quota is used up', 'free some space: ingot cache prune'],
    EACCES: ['forbidden', 'it may not be written', 'choose another directory or change its permissions'],
    EPERM: ['forbidden', 'it may not be written', 'choose another directory or change its permissions'],
    EROFS: ['forbidden', 'the file system is read-only', 'choose another directory'],
    ENOTDIR: ['usage', 'a part of its path is a file', 'choose another directory'],
    EIO: ['unavailable', 'the disk reports an error (EIO)', 'look at the disk, or choose another directory'],
    EMFILE: ['unavailable', 'too many files are open', 'raise the limit: ulimit -n 4096'],
    ENFILE: ['unavailable', 'too many files are open on this machine', 'try again later'],
    ENAMETOOLONG: ['usage', 'a path is too long for this system', 'choose a directory with a shorter path'],
  };
  const [found, why, hint] = known[code] ?? (['unexpected', `the system says ${code}`, undefined] as const);
  return new IngotError(found, `cannot write to ${directory}: ${why}`, {
    operation,
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}
