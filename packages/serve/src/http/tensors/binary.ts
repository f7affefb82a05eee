import { IngotError } from '@ingot/core/errors';
import type { Datatype } from '@ingot/core/signature';
import type { BytesData, NumericData, Tensor } from '@ingot/core/serving/tensor';
import { isBytes } from './to-json.ts';
import { layoutOf } from './layout.ts';

/**
 * Makes a tensor of the raw little-endian bytes of a binary request. Numbers are viewed in place where their alignment
 * allows, else copied once.
 * @throws IngotError `invalid-request` when the byte count disagrees with shape and datatype.
 */
export function tensorFromBinary(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  count: number,
  bytes: Uint8Array,
): Tensor {
  if (datatype === 'BYTES') return { name, datatype, shape, data: bytesElements(name, count, bytes) };
  const layout = layoutOf(datatype);
  if (bytes.byteLength !== count * layout.elementBytes) {
    throw new IngotError(
      'invalid-request',
      `tensor "${name}" of shape [${shape.join(', ')}] and datatype ${datatype} needs ${count * layout.elementBytes} bytes, ${bytes.byteLength} given`,
    );
  }
  const aligned = bytes.byteOffset % layout.elementBytes === 0 ? bytes : Uint8Array.from(bytes);
  const data = layout.view(aligned.buffer, aligned.byteOffset, count);
  if (datatype === 'BOOL') assertBits(name, data);
  return { name, datatype, shape, data };
}

/** A tensor's elements as the raw bytes of a binary reply. Text is UTF-8; a missing BYTES element has length 0. */
export function tensorToBinary(tensor: Tensor): Uint8Array {
  const { data } = tensor;
  if (!isBytes(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const parts: Uint8Array[] = [];
  for (const element of data) {
    const content = element === null ? Buffer.alloc(0) : Buffer.from(element);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(content.length);
    parts.push(length, content);
  }
  return Buffer.concat(parts);
}

function bytesElements(name: string, count: number, bytes: Uint8Array): BytesData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let offset = 0;
  while (offset < bytes.byteLength) {
    if (offset + 4 > bytes.byteLength) throw brokenElement(name, elements.length);
    const end = offset + 4 + view.getUint32(offset, true);
    if (end > bytes.byteLength) throw brokenElement(name, elements.length);
    elements.push(bytes.subarray(offset + 4, end));
    offset = end;
  }
  if (elements.length !== count) {
    throw new IngotError(
      'invalid-request',
      `tensor "${name}" needs ${count} BYTES elements, its bytes hold ${elements.length}`,
    );
  }
  return elements;
}

function brokenElement(name: string, index: number): IngotError {
  return new IngotError(
    'invalid-request',
    `tensor "${name}": BYTES element ${index} says it is longer than the bytes that are left`,
  );
}

function assertBits(name: string, data: NumericData): void {
  for (let index = 0; index < data.length; index += 1) {
    if ((data[index] ?? 0) > 1)
      throw new IngotError(
        'invalid-request',
        `tensor "${name}" holds ${data[index]} at index ${index}, which is no BOOL (0 or 1)`,
      );
  }
}
