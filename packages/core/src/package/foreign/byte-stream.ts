import { IngotError } from '../../errors.ts';

/** Reads exact numbers of bytes from a stream of pieces. */
export interface ByteStream {
  /**
   * The next `count` bytes.
   * @throws IngotError `invalid-package` when the stream ends before them.
   */
  take(count: number): Promise<Buffer>;
  /** The next `count` bytes, as they come; ends early only by throwing as `take` does. */
  pieces(count: number): AsyncGenerator<Uint8Array>;
  /** All bytes that are left, as they come. */
  rest(): AsyncGenerator<Uint8Array>;
  /** Whether no byte is left. */
  ended(): Promise<boolean>;
  /** Bytes taken so far. */
  position(): number;
}

/** Makes a {@link ByteStream} over a stream; `what` names it in errors: `churn.tar`. */
export function openByteStream(source: AsyncIterable<Uint8Array>, what: string): ByteStream {
  const pieces = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let position = 0;
  const more = async (): Promise<boolean> => {
    while (held.length === 0) {
      const next = await pieces.next();
      if (next.done === true) return false;
      held = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    return true;
  };
  const some = async (limit: number): Promise<Buffer> => {
    if (!(await more())) throw cutOff(what);
    const taken = held.subarray(0, limit);
    held = held.subarray(taken.length);
    position += taken.length;
    return taken;
  };
  return {
    async take(count) {
      const first = count === 0 ? Buffer.alloc(0) : await some(count);
      if (first.length === count) return first;
      const all = Buffer.alloc(count);
      let at = first.copy(all);
      while (at < count) at += (await some(count - at)).copy(all, at);
      return all;
    },
    async *pieces(count) {
      let left = count;
      while (left > 0) {
        const piece = await some(left);
        left -= piece.length;
        yield piece;
      }
    },
    async *rest() {
      while (await more()) yield await some(Number.POSITIVE_INFINITY);
    },
    ended: async () => !(await more()),
    position: () => position,
  };
}

/** The error for an archive that ends before it should. */
export function cutOff(what: string): IngotError {
  return broken(what, 'it ends in the middle');
}

/** The error for an archive that is not what it says. */
export function broken(what: string, why: string): IngotError {
  return new IngotError('invalid-package', `${what} cannot be unpacked: ${why}`, {
    operation: 'unpack',
    hint: 'make the archive again, or unpack it yourself and push the folder',
  });
}
