import type { ByteReader } from './byte-reader.ts';

/** A field of a message: its number, and its value or the length of what follows. */
export type ProtobufField =
  | { readonly number: number; readonly kind: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly kind: 'fixed'; readonly sizeBytes: number }
  | { readonly number: number; readonly kind: 'bytes'; readonly sizeBytes: number; readonly end: number };

/** The bytes are not a well-formed protobuf message. */
export class ProtobufError extends Error {}

/**
 * Walks the fields of the message that lies before `end`. After each yield of a `bytes` field the reader stands at its
 * first byte; whatever of it was not read is stepped over. Lengths are checked, so a lying one ends in `ProtobufError`.
 */
export async function* protobufFields(reader: ByteReader, end: number): AsyncGenerator<ProtobufField> {
  while (reader.position() < end) {
    const tag = Number(await readVarint(reader, end));
    const number = Math.floor(tag / 8);
    if (number === 0 || !Number.isSafeInteger(number)) throw new ProtobufError('a field has the number 0');
    switch (tag % 8) {
      case 0:
        yield { number, kind: 'varint', value: await readVarint(reader, end) };
        break;
      case 1:
        yield* fixed(reader, number, 8, end);
        break;
      case 5:
        yield* fixed(reader, number, 4, end);
        break;
      case 2: {
        const sizeBytes = Number(await readVarint(reader, end));
        const stop = reader.position() + sizeBytes;
        if (!Number.isSafeInteger(stop) || stop > end) throw new ProtobufError('a field is longer than what holds it');
        yield { number, kind: 'bytes', sizeBytes, end: stop };
        if (reader.position() > stop) throw new ProtobufError('a message is longer than its field');
        reader.skip(stop - reader.position());
        break;
      }
      default:
        throw new ProtobufError(`a field has the unknown wire type ${tag % 8}`);
    }
  }
}

async function* fixed(
  reader: ByteReader,
  number: number,
  sizeBytes: number,
  end: number,
): AsyncGenerator<ProtobufField> {
  if (reader.position() + sizeBytes > end) throw new ProtobufError('a number is cut off');
  yield { number, kind: 'fixed', sizeBytes };
  reader.skip(sizeBytes);
}

async function readVarint(reader: ByteReader, end: number): Promise<bigint> {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.position() < end ? await reader.byte() : undefined;
    if (byte === undefined) throw new ProtobufError('it ends in the middle of a number');
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asUintN(64, value);
  }
  throw new ProtobufError('a number is longer than ten bytes');
}
