import type { FileHandle } from 'node:fs/promises';
import { streamBlob } from '../blob/local/stream.ts';
import { IngotError } from '../errors.ts';
import { readTar } from '../package/foreign/tar-read.ts';
import type { LayoutFile } from './layout-reader.ts';

/** A tar of contents has few members, however large they are. */
const MAX_MEMBERS = 100_000;
const BLOCK = 512;

/** A member of a tar file: where its bytes lie, or where it leads. */
export type TarMember =
  | { readonly kind: 'file'; readonly start: number; readonly sizeBytes: number }
  | { readonly kind: 'link'; readonly target: string };

/**
 * Looks through a tar file by its headers alone, stepping over the bytes of its members. Of two members of one name the
 * later one counts, as it would when unpacked.
 * @throws IngotError `invalid-package` for what is no tar.
 */
export async function scanTar(handle: FileHandle, what: string): Promise<ReadonlyMap<string, TarMember>> {
  const members = new Map<string, TarMember>();
  const { size } = await handle.stat();
  for (let at = 0, count = 0; at < size; count += 1) {
    if (count > MAX_MEMBERS) throw unusable(what, `it has more than ${MAX_MEMBERS} members`);
    const next = await firstFrom(handle, at, what);
    if (next === undefined) break;
    const { item, start } = next;
    const path = item.path.replace(/^(?:\.\/)+/, '');
    if (item.kind === 'file') members.set(path, { kind: 'file', start, sizeBytes: item.sizeBytes });
    if (item.target !== undefined) members.set(path, { kind: 'link', target: item.target });
    at = start + Math.ceil(item.sizeBytes / BLOCK) * BLOCK;
    if (start + item.sizeBytes > size) throw unusable(what, 'it ends in the middle');
  }
  return members;
}

/** A file of a tar as a file of its own. */
export function memberFile(
  handle: FileHandle,
  member: TarMember & { readonly kind: 'file' },
  what: string,
): LayoutFile {
  const { start, sizeBytes } = member;
  return {
    sizeBytes,
    read: (range, signal) => {
      const { start: from, end } = range ?? { start: 0, end: sizeBytes };
      if (end > sizeBytes) throw unusable(what, `a member of ${sizeBytes} bytes ends before byte ${end}`);
      return streamBlob(
        { handle: unclosed(handle), sizeBytes: start + sizeBytes },
        what,
        { start: start + from, end: start + end },
        signal,
      );
    },
  };
}

// Blocks are handed out one by one, so that how many were taken says where the member's bytes begin.
async function firstFrom(handle: FileHandle, at: number, what: string) {
  let start = at;
  async function* blocks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const block = Buffer.alloc(BLOCK);
      const { bytesRead } = await handle.read(block, 0, BLOCK, start);
      if (bytesRead === 0) return;
      start += BLOCK;
      yield block.subarray(0, bytesRead);
    }
  }
  for await (const item of readTar(blocks(), what)) return { item, start };
  return undefined;
}

function unclosed(handle: FileHandle): Pick<FileHandle, 'read' | 'write' | 'stat' | 'sync' | 'close'> {
  return {
    read: handle.read.bind(handle),
    write: handle.write.bind(handle),
    stat: handle.stat.bind(handle),
    sync: handle.sync.bind(handle),
    close: async () => {},
  };
}

function unusable(what: string, why: string): IngotError {
  return new IngotError('invalid-package', `${what} cannot be read: ${why}`, { operation: 'oci.read' });
}
