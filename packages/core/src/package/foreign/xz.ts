import xz from 'xz-decompress';
import { broken, cutOff } from './byte-stream.ts';

const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

/** What the decoder's numbers mean (`enum xz_ret` of XZ Embedded). */
const REASONS: Readonly<Record<string, string>> = {
  4: 'it asks for more than 64 MiB of memory',
  5: 'it is not an .xz file',
  6: 'it uses filters besides LZMA2, or a check besides CRC-32 and CRC-64',
  7: 'its bytes are not what its sums say',
};
const ENDS_EARLY = '8';

/** Says whether a file begins like an `.xz` one. */
export function isXz(head: Uint8Array): boolean {
  return MAGIC.equals(head.subarray(0, MAGIC.length));
}

/**
 * Unpacks `.xz`, streaming: LZMA2 with a dictionary of at most 64 MiB, CRC-32 and CRC-64 compared, several streams in a
 * row; what `xz` and Python's `lzma` write unless told otherwise. One archive is unpacked at a time in a process, so
 * whoever stops early closes the generator.
 * @throws IngotError `invalid-package` for anything malformed or cut off.
 */
export async function* unpackXz(source: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  const stream = new xz.XzReadableStream(ReadableStream.from(source));
  try {
    yield* stream.values({ preventCancel: true });
  } catch (error) {
    throw explained(error, what);
  } finally {
    // Lets the next archive in. Of one that ended already the library says that it is gone, which is what is wanted.
    await stream.cancel().catch(() => undefined);
  }
}

function explained(error: unknown, what: string): unknown {
  const code =
    error instanceof Error ? /^get_next_output failed with error code (\d+)$/.exec(error.message)?.[1] : undefined;
  if (code === undefined) return error;
  return code === ENDS_EARLY ? cutOff(what) : broken(what, REASONS[code] ?? `its compression is damaged (${code})`);
}
