import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RenderedFile } from '@ingot/core/deploy/deployment';
import { WRITTEN_BY } from '@ingot/core/deploy/yaml-document';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import { flush } from '@ingot/core/make-durable';

/** What became of a file. */
export type Written = 'new' | 'changed' | 'same';

/**
 * Writes what was rendered to a directory; a file is never seen half-written.
 * @throws IngotError `conflict` when a file there is somebody's own; then none is written.
 */
export async function writeRendered(
  files: readonly RenderedFile[],
  directory: string,
): Promise<ReadonlyMap<string, Written>> {
  const before = await Promise.all(files.map(({ path }) => readIfThere(join(directory, path))));
  files.forEach(({ path }, index) => {
    const text = before[index];
    if (text === undefined || text.startsWith(WRITTEN_BY)) return;
    throw new IngotError('conflict', `${join(directory, path)} was not written by ingot deploy, and stays as it is`, {
      hint: 'ingot deploy … -o ANOTHER-DIR',
    });
  });
  await mkdir(directory, { recursive: true });
  const written = new Map<string, Written>();
  for (const [index, { path, text }] of files.entries()) {
    const old = before[index];
    if (old !== text) await writeWhole(join(directory, path), text);
    written.set(path, old === undefined ? 'new' : old === text ? 'same' : 'changed');
  }
  await flush(directory);
  return written;
}

/**
 * Names the files of a directory that were rendered before and are no part of `files`: what they made is still where it was
 * applied.
 */
export async function leftBehind(files: readonly RenderedFile[], directory: string): Promise<readonly string[]> {
  const own = new Set(files.map(({ path }) => path));
  const others = (await readdir(directory)).filter((name) => name.endsWith('.yaml') && !own.has(name)).sort();
  const texts = await Promise.all(others.map((name) => readIfThere(join(directory, name))));
  return others.filter((_, index) => texts[index]?.startsWith(WRITTEN_BY));
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text, { flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
