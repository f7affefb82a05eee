import { createReadStream } from 'node:fs';
import { readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerEntry, LayerFile } from './image-layer.ts';

/** A file of a layer whose bytes are at hand. */
export function fileOf(path: string, bytes: Uint8Array | string, mode = 0o644): LayerFile {
  const held = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  return {
    kind: 'file',
    path,
    sizeBytes: held.byteLength,
    mode,
    async *open() {
      yield held;
    },
  };
}

/** A file of a layer that lies on this machine. */
export function fileFrom(
  path: string,
  source: string,
  { sizeBytes, mode }: { readonly sizeBytes: number; readonly mode: number },
): LayerFile {
  return {
    kind: 'file',
    path,
    sizeBytes,
    mode: (mode & 0o100) === 0 ? 0o644 : 0o755,
    open: () => createReadStream(source, { highWaterMark: 1024 * 1024 }),
  };
}

/** Everything below a directory of this machine as entries below `at`. */
export async function entriesBelow(directory: string, at: string): Promise<LayerEntry[]> {
  const entries: LayerEntry[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const source = join(directory, entry.name);
    const path = `${at}/${entry.name}`;
    if (entry.isDirectory()) entries.push(...(await entriesBelow(source, path)));
    else if (entry.isSymbolicLink()) entries.push({ kind: 'link', path, target: await readlink(source) });
    else {
      const { size, mode } = await stat(source);
      entries.push(fileFrom(path, source, { sizeBytes: size, mode }));
    }
  }
  return entries;
}

/** Entries that nothing was written for. */
export function heldEntries(
  entries: readonly LayerEntry[],
): { readonly entries: readonly LayerEntry[] } & AsyncDisposable {
  return { entries, [Symbol.asyncDispose]: async () => {} };
}
