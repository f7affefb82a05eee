import { crc32 } from './crc.ts';
import { broken, type ByteStream, openByteStream } from './byte-stream.ts';
import { createLzmaDecoder, type LzmaDecoder } from './lzma.ts';

const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
/** Sizes of the check behind each block, by its number in the header. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const LZMA2 = 0x21;
/** What `xz -9` uses; a larger one is refused before memory is taken for it. */
const MAX_DICTIONARY = 64 * 1024 * 1024;

/** Says whether a file begins like an `.xz` one. */
export function isXz(head: Uint8Array): boolean {
  return MAGIC.equals(head.subarray(0, MAGIC.length));
}

/**
 * Unpacks an `.xz` stream (LZMA2 only, dictionary of at most 64 MiB, which is what `xz` and Python's `lzma` write).
 * CRC-32 checks are compared; a longer check is stepped over, because what is stored is hashed anyway.
 * @throws IngotError `invalid-package` for anything malformed.
 */
export async function* unpackXz(source: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  const input = openByteStream(source, what);
  const decoderFor = keptDecoder(what);
  while (!(await input.ended())) {
    const header = await input.take(12);
    if (!isXz(header)) throw broken(what, 'it is not an .xz file');
    const check = (header[7] ?? 0) & 15;
    if (crc32(header.subarray(6, 8)) !== header.readUInt32LE(8)) throw broken(what, 'its header is damaged');
    yield* blocks(input, check, decoderFor, what);
    await padding(input);
  }
}

/** Takes memory for a dictionary once: an archive can ask for it in every twenty bytes. */
function keptDecoder(what: string): (dictionaryBytes: number) => LzmaDecoder {
  let kept: { readonly sizeBytes: number; readonly decoder: LzmaDecoder } | undefined;
  return (sizeBytes) => {
    if (kept === undefined || kept.sizeBytes < sizeBytes)
      kept = { sizeBytes, decoder: createLzmaDecoder(sizeBytes, what) };
    return kept.decoder;
  };
}

/** A stream may be followed by zeros up to a multiple of four bytes, and by another stream. */
async function padding(input: ByteStream): Promise<void> {
  while (!(await input.ended()) && input.position() % 4 !== 0) await input.take(1);
}

async function* blocks(
  input: ByteStream,
  check: number,
  decoderFor: (dictionaryBytes: number) => LzmaDecoder,
  what: string,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const [size = 0] = await input.take(1);
    if (size === 0) return await skipIndex(input, what);
    const rest = await input.take(size * 4 + 3);
    const header = Buffer.concat([Buffer.from([size]), rest]);
    if (crc32(header.subarray(0, -4)) !== header.readUInt32LE(header.length - 4))
      throw broken(what, 'a block header is damaged');
    const decoder = decoderFor(dictionaryOf(header, what));
    const start = input.position();
    let sum = 0;
    for await (const piece of chunks(input, decoder, what)) {
      if (check === 1) sum = crc32(piece, sum);
      yield Buffer.from(piece);
    }
    await input.take((4 - ((input.position() - start) % 4)) % 4);
    const stored = await input.take(CHECK_BYTES[check] ?? 0);
    if (check === 1 && stored.readUInt32LE(0) !== sum) throw broken(what, 'its bytes are not what its sum says');
  }
}

function dictionaryOf(header: Buffer, what: string): number {
  const flags = header[1] ?? 0;
  if ((flags & 3) !== 0) throw broken(what, 'it uses filters besides LZMA2');
  let at = 2;
  for (const bit of [0x40, 0x80]) {
    if ((flags & bit) === 0) continue;
    while (((header[at] ?? 0) & 0x80) !== 0) at += 1;
    at += 1;
  }
  if (header[at] !== LZMA2 || header[at + 1] !== 1) throw broken(what, 'it uses filters besides LZMA2');
  const bits = header[at + 2] ?? 0;
  const bytes = bits >= 40 ? Number.POSITIVE_INFINITY : (2 | (bits & 1)) * 2 ** (Math.floor(bits / 2) + 11);
  if (bytes > MAX_DICTIONARY) throw broken(what, 'it asks for more than 64 MiB of memory');
  return bytes;
}

async function* chunks(input: ByteStream, decoder: LzmaDecoder, what: string): AsyncGenerator<Uint8Array> {
  for (let first = true; ; first = false) {
    const [control = 0] = await input.take(1);
    if (control === 0) return;
    if (control >= 3 && control < 0x80) throw broken(what, 'a chunk is of an unknown kind');
    if (control === 1 || control >= 0xe0) decoder.resetDictionary();
    else if (first) throw broken(what, 'its first chunk has no dictionary of its own');
    if (control < 0x80) {
      yield decoder.store(await input.take((await input.take(2)).readUInt16BE(0) + 1));
      continue;
    }
    const head = await input.take(4);
    const unpacked = ((control & 0x1f) << 16) + head.readUInt16BE(0) + 1;
    const packed = head.readUInt16BE(2) + 1;
    if (control >= 0xc0) decoder.setProperties((await input.take(1))[0] ?? 0);
    else if (control >= 0xa0) decoder.resetState();
    yield decoder.decode(await input.take(packed), unpacked);
  }
}

/** The index behind the blocks says only what was read already; its size is in the footer. */
async function skipIndex(input: ByteStream, what: string): Promise<void> {
  const start = input.position() - 1;
  const count = await readNumber(input, what);
  for (let record = 0; record < count; record += 1) {
    await readNumber(input, what);
    await readNumber(input, what);
  }
  await input.take((4 - ((input.position() - start) % 4)) % 4);
  await input.take(4);
  const footer = await input.take(12);
  if (footer.toString('latin1', 10) !== 'YZ') throw broken(what, 'its end is damaged');
}

async function readNumber(input: ByteStream, what: string): Promise<number> {
  let value = 0;
  for (let shift = 0; shift < 9; shift += 1) {
    const [byte = 0] = await input.take(1);
    value += (byte & 0x7f) * 2 ** (7 * shift);
    if (byte < 0x80) return value;
  }
  throw broken(what, 'a number in it is too long');
}
