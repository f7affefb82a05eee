/**
 * The tar of a layer: its entries sorted by path, the directories that hold them before them, owner 0, time 0, modes
 * 644 and 755. So it follows from the entries alone, wherever and whenever it is made.
 */

import { IngotError } from '../errors.ts';
import { comparePaths, whyUnsafePath } from '../package/paths.ts';
import { TAR_END, type TarEntry, tarHeader, tarPadding, tarSize } from '../package/tar.ts';
import type { LayerEntry } from './image-layer.ts';

/** A member as it is written. */
export type LayerMember = TarEntry & { open?(): AsyncIterable<Uint8Array> };

/**
 * Orders entries as the tar has them, with all directories that hold them.
 * @throws IngotError `invalid-package` for paths that lead out of the image, two entries of one path, and entries below
 * a file or link.
 */
export function layerMembers(entries: readonly LayerEntry[]): readonly LayerMember[] {
  const byPath = new Map<string, LayerEntry>();
  for (const entry of entries) {
    const why = whyUnsafePath(entry.path);
    if (why !== undefined) throw wrong(`it has the path ${JSON.stringify(entry.path.slice(0, 80))}, and ${why}`);
    if (byPath.has(entry.path)) throw wrong(`it has "${entry.path}" twice`);
    byPath.set(entry.path, entry);
  }
  for (const { path } of entries) addParents(path, byPath);
  return [...byPath.values()].sort((a, b) => comparePaths(a.path, b.path)).map(memberOf);
}

function addParents(path: string, byPath: Map<string, LayerEntry>): void {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    const parent = path.slice(0, at);
    const known = byPath.get(parent);
    if (known?.kind === 'directory') return;
    if (known !== undefined) throw wrong(`"${path}" lies below "${parent}", which is a ${known.kind}`);
    byPath.set(parent, { kind: 'directory', path: parent });
  }
}

function memberOf(entry: LayerEntry): LayerMember {
  if (entry.kind === 'directory')
    return {
      kind: 'directory',
      path: `${entry.path}/`,
      mode: entry.mode ?? 0o755,
      sizeBytes: 0,
      ...(entry.owner !== undefined && { owner: entry.owner }),
    };
  const { path } = entry;
  if (entry.kind === 'link') return { kind: 'link', path, mode: 0o777, sizeBytes: 0, target: entry.target };
  return { path, mode: entry.mode ?? 0o644, sizeBytes: entry.sizeBytes, open: () => entry.open() };
}

/** The bytes of a layer's tar. */
export function layerSize(members: readonly LayerMember[]): number {
  return tarSize(members);
}

/** Headers and small files are handed on together: one by one they cost more than their bytes. Larger pieces are not copied. */
const SMALL_BYTES = 16 * 1024;
const GATHERED_BYTES = 64 * 1024;

/**
 * Streams the tar of a layer.
 * @throws IngotError `source-changed` when an entry gives more or fewer bytes than it said.
 */
export async function* packLayer(members: readonly LayerMember[]): AsyncGenerator<Uint8Array, void> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces(members)) {
    if (piece.byteLength >= SMALL_BYTES) {
      if (bytes > 0) yield Buffer.concat(gathered);
      yield piece;
      [gathered, bytes] = [[], 0];
      continue;
    }
    gathered.push(piece);
    bytes += piece.byteLength;
    if (bytes < GATHERED_BYTES) continue;
    yield Buffer.concat(gathered);
    [gathered, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(gathered);
}

async function* pieces(members: readonly LayerMember[]): AsyncGenerator<Uint8Array, void> {
  for (const member of members) {
    yield tarHeader(member);
    if (member.open === undefined) continue;
    let given = 0;
    for await (const piece of member.open()) {
      given += piece.byteLength;
      if (given > member.sizeBytes) break;
      yield piece;
    }
    if (given !== member.sizeBytes)
      throw new IngotError(
        'source-changed',
        `"${member.path}" has ${given > member.sizeBytes ? 'more' : 'fewer'} bytes than the ${member.sizeBytes} it had`,
        { operation: 'bake' },
      );
    const padding = tarPadding(member.sizeBytes);
    if (padding.length > 0) yield padding;
  }
  yield TAR_END;
}

function wrong(why: string): IngotError {
  return new IngotError('invalid-package', `the layer cannot be made: ${why}`, { operation: 'bake' });
}
