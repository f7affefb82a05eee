import { createWriteStream } from 'node:fs';
import { chmod, mkdir, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { OciOptions } from '../oci/oci-place.ts';
import type { ImageLayer, LayerEntry } from './image-layer.ts';
import { layerMembers } from './layer-tar.ts';

const EPOCH = new Date(0);

/**
 * Writes what a layer holds below a directory, as it would lie below the root of an image. Modes and times are those of
 * the layer; owners are those of whoever writes.
 * @throws IngotError as the layer's own making does; `invalid-package` for paths that lead out.
 */
export async function writeTree(layer: ImageLayer, directory: string, options: OciOptions = {}): Promise<void> {
  await using made = await layer.make(options);
  // Checked as a layer's would be: no path leads out, and none lies below a link.
  layerMembers(made.entries);
  for (const entry of made.entries) await writeEntry(entry, directory, options);
}

async function writeEntry(entry: LayerEntry, directory: string, { signal }: OciOptions): Promise<void> {
  const path = join(directory, entry.path);
  if (entry.kind === 'directory') {
    await mkdir(path, { recursive: true });
    return chmod(path, entry.mode ?? 0o755);
  }
  await mkdir(dirname(path), { recursive: true });
  if (entry.kind === 'link') return symlink(entry.target, path);
  const mode = entry.mode ?? 0o644;
  await pipeline(Readable.from(entry.open()), createWriteStream(path, { mode }), { ...(signal && { signal }) });
  await chmod(path, mode);
  await utimes(path, EPOCH, EPOCH);
}
