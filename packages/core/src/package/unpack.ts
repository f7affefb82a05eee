import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContentReader, Recipe } from '../content/content-store.ts';
import { createDigester, type Digester } from '../digest.ts';
import { type ErrorCode, IngotError, isIngotError, systemErrorCode } from '../errors.ts';
import { makeDirectory } from '../make-directory.ts';
import type { OnProgress } from '../progress.ts';
import type { HashedFile, HashedLayer } from './manifest.ts';
import { whyUnsafePath } from './paths.ts';
import { TAR_END, tarHeader, tarPadding } from './tar.ts';

/** A file that was written, and what tells later that it is still the same. */
export interface WrittenFile extends HashedFile {
  readonly mtimeMs: number;
}

/** Options of {@link unpackPackage}. */
export interface UnpackOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Permission bits to take away from every file. Default: none. */
  readonly without?: number;
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Writes a package's files into a directory of its own, each verified while it is written and made durable.
 * The directory must be fresh; when this fails the caller removes it, and says with {@link diskError} what could not be
 * written: this directory has a temporary name, which tells a user nothing.
 * @throws IngotError `integrity`, `content-not-found`, `interrupted`; and the system's own errors.
 */
export async function unpackPackage(
  contents: ContentReader,
  stored: { readonly recipe: Recipe; readonly description: { readonly layers: readonly HashedLayer[] } },
  directory: string,
  options: UnpackOptions = {},
): Promise<WrittenFile[]> {
  const written: WrittenFile[] = [];
  const folders = new Set<string>();
  const write = async (file: HashedFile, tar?: Digester): Promise<void> => {
    if (whyUnsafePath(file.path) !== undefined)
      throw new IngotError('invalid-package', `the path ${JSON.stringify(file.path)} is not safe`, {
        operation: 'unpack',
      });
    const target = join(directory, file.path);
    const folder = dirname(target);
    if (!folders.has(folder)) await makeDirectory(folder);
    folders.add(folder);
    written.push(await writeFile(target, file, verified(contents, stored.recipe, file, options, tar), options));
  };
  for (const layer of stored.description.layers) {
    if (layer.kind === 'raw') await write(layer.file);
    else await unpackTar(layer, write);
  }
  for (const folder of folders) await syncDirectory(folder);
  return written;
}

/** A tar layer's own digest is checked over the files it stands for. */
async function unpackTar(
  layer: HashedLayer & { readonly kind: 'tar' },
  write: (file: HashedFile, tar: Digester) => Promise<void>,
): Promise<void> {
  const tar = createDigester();
  for (const file of layer.files) {
    tar.update(tarHeader(file));
    await write(file, tar);
    tar.update(tarPadding(file.sizeBytes));
  }
  tar.update(TAR_END);
  const digest = tar.finish();
  if (digest === layer.digest) return;
  throw new IngotError(
    'integrity',
    `the files below "${layer.directory}" are not those of the manifest: ${digest} instead of ${layer.digest}`,
    { operation: 'unpack' },
  );
}

async function* verified(
  contents: ContentReader,
  recipe: Recipe,
  file: HashedFile,
  options: UnpackOptions,
  tar: Digester | undefined,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const piece of contents.read(recipe, file.digest, { signal: options.signal })) {
    doneBytes += piece.length;
    if (doneBytes > file.sizeBytes) break;
    tar?.update(piece);
    yield piece;
    options.onProgress?.({ phase: 'fetch', path: file.path, doneBytes, totalBytes: file.sizeBytes });
  }
  if (doneBytes !== file.sizeBytes) {
    throw new IngotError(
      'integrity',
      `${file.path} has another size than its manifest says (${file.sizeBytes} bytes)`,
      { operation: 'unpack', details: { path: file.path } },
    );
  }
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
    await handle.sync();
    return {
      path: file.path,
      digest: file.digest,
      sizeBytes: file.sizeBytes,
      mode: file.mode,
      mtimeMs: (await handle.stat()).mtimeMs,
    };
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Says in Ingot's words why a directory could not be written; other errors stay what they are. */
export function diskError(error: unknown, directory: string, operation: string): unknown {
  const code = systemErrorCode(error);
  if (code === undefined || isIngotError(error)) return error;
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
