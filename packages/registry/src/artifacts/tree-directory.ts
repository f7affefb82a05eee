import { rmSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { collect } from '@ingot/core/blob/bytes';
import { whyUnsafePath } from '@ingot/core/package/paths';
import { IngotError } from '@ingot/core/errors';

/** A file that is to be shown. */
export interface ShownFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** What formats are recognised by: texts whole, of large files the beginning. */
const SHOWN_BYTES = 4 * 1024 * 1024;

/** So small a file is written before a thread would have been found to write it; and so few are removed. */
const AT_ONCE_BYTES = 64 * 1024;
const AT_ONCE_FILES = 32;

/** Formats that say what they are at their end, too. */
const WHOLE = /\.onnx$/i;

/** A directory that shows files of the tree; disposing it removes it. */
export interface TreeDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Options of {@link showTree}. */
export interface ShowTreeOptions<File extends ShownFile> {
  readonly scratch: string;
  /** What the files' paths are below. */
  readonly root: string;
  read(file: File, range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}

/**
 * Makes a directory with the files of a tree: their paths, sizes, and as many bytes as recognising formats needs. The
 * rest of a large file reads as zeros and takes no space.
 * @throws IngotError `invalid-package` for a path that cannot be one of a package.
 */
export async function showTree<File extends ShownFile>(
  files: readonly File[],
  { scratch, root, read }: ShowTreeOptions<File>,
): Promise<TreeDirectory> {
  const path = await mkdtemp(join(scratch, 'package-'));
  const dispose = async (): Promise<void> => {
    const options = { recursive: true, force: true };
    if (files.length <= AT_ONCE_FILES) rmSync(path, options);
    else await rm(path, options);
  };
  try {
    const made = new Set<string>([path]);
    for (const file of files) {
      const name = file.path.slice(root.length + 1);
      const unsafe = whyUnsafePath(name);
      if (unsafe !== undefined)
        throw new IngotError('invalid-package', `"${name}" cannot be a file of a package: ${unsafe}`);
      const target = join(path, name);
      const parent = dirname(target);
      if (!made.has(parent)) await mkdir(parent, { recursive: true, mode: 0o700 });
      made.add(parent);
      await show(target, file, read);
    }
    return { path, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function show<File extends ShownFile>(
  target: string,
  file: File,
  read: ShowTreeOptions<File>['read'],
): Promise<void> {
  if (file.sizeBytes <= AT_ONCE_BYTES)
    return writeFileSync(target, await collect(read(file)), { flag: 'wx', mode: 0o644 });
  const handle = await open(target, 'wx', 0o644);
  try {
    const isWhole = file.sizeBytes <= SHOWN_BYTES || WHOLE.test(file.path);
    const bytes = isWhole ? read(file) : read(file, { start: 0, end: SHOWN_BYTES });
    for await (const piece of bytes) if (piece.byteLength > 0) await handle.writeFile(piece);
    if (!isWhole) await handle.truncate(file.sizeBytes);
  } finally {
    await handle.close();
  }
}
