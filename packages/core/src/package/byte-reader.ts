import type { FileHandle } from 'node:fs/promises';

/** Reads a file forward in small pieces and steps over what it need not see, so that memory stays flat. */
export interface ByteReader {
  readonly sizeBytes: number;
  /** Offset of the next byte. */
  position(): number;
  /** The next byte, or undefined at the end. */
  byte(): Promise<number | undefined>;
  /** The next `count` bytes; fewer at the end. At most 1 MiB. */
  take(count: number): Promise<Buffer>;
  /** Steps over bytes without reading them. */
  skip(count: number): void;
}

const WINDOW_BYTES = 64 * 1024;
const MAX_TAKE = 1024 * 1024;

/** Makes a reader over an open file. */
export function openByteReader(handle: FileHandle, sizeBytes: number): ByteReader {
  const window = Buffer.allocUnsafe(WINDOW_BYTES);
  let start = 0;
  let filled = 0;
  let at = 0;
  const load = async (): Promise<boolean> => {
    start = at;
    filled = (await handle.read(window, 0, WINDOW_BYTES, at)).bytesRead;
    return filled > 0;
  };
  return {
    sizeBytes,
    position: () => at,
    async byte() {
      if ((at < start || at >= start + filled) && !(await load())) return undefined;
      return window[at++ - start];
    },
    async take(count) {
      const wanted = Math.min(count, MAX_TAKE, Math.max(0, sizeBytes - at));
      if (at >= start && at + wanted <= start + filled) {
        const found = Buffer.from(window.subarray(at - start, at - start + wanted));
        at += wanted;
        return found;
      }
      const out = Buffer.alloc(wanted);
      const { bytesRead } = await handle.read(out, 0, wanted, at);
      at += bytesRead;
      return out.subarray(0, bytesRead);
    },
    skip(count) {
      at += count;
    },
  };
}
