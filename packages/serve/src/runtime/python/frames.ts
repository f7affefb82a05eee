/**
 * Frames between the model server and a worker: `u32 header length, u32 zero, u64 payload length` (little-endian), a
 * JSON header, a payload. The header's `tensors` list `{name, datatype, shape, bytes}`; their data lie in the payload in
 * that order, each beginning at a multiple of 8. Numbers are raw little-endian; a BYTES tensor is one i32 length per
 * element (-1: missing) followed by all the bytes. `frames.py` is the other end.
 */

import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject, type JsonValue } from '@ingot/core/json';
import type { BytesData, NumericData, Tensor } from '@ingot/core/serving/tensor';
import { DATATYPES, type Datatype } from '@ingot/core/signature';

/** The version of the frames; a worker that speaks another one is refused. */
export const PROTOCOL = 1;
const PREFIX_BYTES = 16;
const MAX_HEADER_BYTES = 16 * 2 ** 20;
const MAX_PAYLOAD_BYTES = 2 ** 31;

/** One received frame. */
export interface Frame {
  readonly header: JsonObject;
  readonly tensors: readonly Tensor[];
}

/** Writes one frame as the pieces to send, in order; numeric data are views on the tensors, not copies. */
export function encodeFrame(header: JsonObject, tensors: readonly Tensor[] = []): readonly Uint8Array[] {
  const body: Uint8Array[] = [];
  const described: JsonValue[] = [];
  let payloadBytes = 0;
  for (const tensor of tensors) {
    const padding = -payloadBytes & 7;
    if (padding > 0) body.push(new Uint8Array(padding));
    const pieces = encodeData(tensor);
    const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    body.push(...pieces);
    payloadBytes += padding + bytes;
    described.push({ name: tensor.name, datatype: tensor.datatype, shape: tensor.shape, bytes });
  }
  const text = JSON.stringify(described.length === 0 ? header : { ...header, tensors: described });
  const headerBytes = Buffer.byteLength(text);
  if (headerBytes > MAX_HEADER_BYTES || payloadBytes > MAX_PAYLOAD_BYTES) {
    throw new IngotError('payload-too-large', `a request of ${payloadBytes} bytes does not fit in one frame`);
  }
  const head = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes);
  head.writeUInt32LE(headerBytes, 0);
  head.writeUInt32LE(0, 4);
  head.writeBigUInt64LE(BigInt(payloadBytes), 8);
  head.write(text, PREFIX_BYTES);
  return [head, ...body];
}

function encodeData(tensor: Tensor): readonly Uint8Array[] {
  const { data } = tensor;
  if (isNumeric(data)) return [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
  const lengths = new Int32Array(data.length);
  const pieces: Uint8Array[] = [];
  data.forEach((element, index) => {
    const piece = typeof element === 'string' ? Buffer.from(element) : element;
    lengths[index] = piece === null ? -1 : piece.byteLength;
    if (piece !== null) pieces.push(piece);
  });
  return [new Uint8Array(lengths.buffer), ...(pieces.length > 1 ? [Buffer.concat(pieces)] : pieces)];
}

/** Says whether a tensor's data are numbers in a typed array (not BYTES). */
export function isNumeric(data: NumericData | BytesData): data is NumericData {
  return ArrayBuffer.isView(data);
}

/** Puts frames together from the chunks a socket delivers. Each payload is copied once, into memory of its own. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #header: Buffer | undefined;
  #payload: Buffer | undefined;
  #filled = 0;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** Takes the next chunk; throws `unexpected` when the other end does not speak the protocol. */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      const target = this.#payload ?? this.#header ?? this.#prefix;
      const taken = rest.copy(target, this.#filled, 0, target.length - this.#filled);
      this.#filled += taken;
      rest = rest.subarray(taken);
      if (this.#filled === target.length) this.#advance();
    }
  }

  #advance(): void {
    this.#filled = 0;
    if (this.#header === undefined) {
      this.#header = Buffer.allocUnsafe(bounded(this.#prefix.readUInt32LE(0), MAX_HEADER_BYTES));
      if (this.#header.length === 0) throw broken('an empty header');
      return;
    }
    if (this.#payload === undefined) {
      const bytes = bounded(Number(this.#prefix.readBigUInt64LE(8)), MAX_PAYLOAD_BYTES);
      this.#payload = Buffer.from(new ArrayBuffer(bytes));
      if (bytes > 0) return;
    }
    const frame = decode(this.#header, this.#payload);
    this.#header = undefined;
    this.#payload = undefined;
    this.#onFrame(frame);
  }
}

function bounded(bytes: number, limit: number): number {
  if (bytes > limit) throw broken(`a frame part of ${bytes} bytes`);
  return bytes;
}

function decode(headerBytes: Buffer, payload: Buffer): Frame {
  const header: unknown = JSON.parse(headerBytes.toString());
  if (!isJsonObject(header)) throw broken('a header that is not an object');
  const described = header.tensors;
  const tensors: Tensor[] = [];
  let start = 0;
  for (const entry of Array.isArray(described) ? described : []) {
    const { name, datatype, shape, bytes } = described1(entry);
    start += -start & 7;
    if (start + bytes > payload.length) throw broken('a payload shorter than its header says');
    tensors.push(decodeTensor(name, datatype, shape, payload.subarray(start, start + bytes)));
    start += bytes;
  }
  return { header, tensors };
}

interface Described {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: number;
}

function described1(entry: unknown): Described {
  if (!isJsonObject(entry)) throw broken('a tensor without a description');
  const { name, shape, bytes } = entry;
  const datatype = DATATYPES.find((known) => known === entry.datatype);
  if (typeof name !== 'string' || datatype === undefined || !isLength(bytes)) throw broken('a malformed tensor');
  if (!Array.isArray(shape) || !shape.every(isLength)) throw broken(`a malformed shape of "${name}"`);
  return { name, datatype, shape, bytes };
}

function isLength(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function decodeTensor(name: string, datatype: Datatype, shape: readonly number[], raw: Buffer): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = datatype === 'BYTES' ? decodeText(raw, count) : numbers(datatype, raw);
  if (data.length !== count) throw broken(`${data.length} elements for shape [${shape.join(', ')}] of "${name}"`);
  return { name, datatype, shape, data };
}

function decodeText(raw: Buffer, count: number): BytesData {
  const result: (string | null)[] = [];
  let start = 4 * count;
  if (start > raw.length) throw broken('text without its lengths');
  for (let index = 0; index < count; index++) {
    const length = raw.readInt32LE(4 * index);
    result.push(length < 0 ? null : raw.toString('utf8', start, start + length));
    start += Math.max(length, 0);
  }
  return result;
}

type ArrayOf = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => NumericData;

const ARRAYS: Readonly<Record<Exclude<Datatype, 'BYTES'>, ArrayOf & { readonly BYTES_PER_ELEMENT: number }>> = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

function numbers(datatype: Exclude<Datatype, 'BYTES'>, raw: Buffer): NumericData {
  const array = ARRAYS[datatype];
  if (raw.byteLength % array.BYTES_PER_ELEMENT !== 0) throw broken(`${raw.byteLength} bytes of ${datatype}`);
  return new array(raw.buffer, raw.byteOffset, raw.byteLength / array.BYTES_PER_ELEMENT);
}

function broken(what: string): IngotError {
  return new IngotError('unexpected', `the worker sent ${what}`, { operation: 'worker.receive' });
}
