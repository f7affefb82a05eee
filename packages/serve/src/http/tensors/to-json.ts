import type { BytesData, Tensor } from '@ingot/core/serving/tensor';
import { fromHalves } from './half.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A tensor's elements as JSON text without the enclosing brackets, flat and row-major. */
export interface JsonElements {
  readonly text: string;
  /** True when BYTES elements that are no text were written in base64; then all of them are. */
  readonly base64: boolean;
}

/**
 * Writes elements `start` to `end` as JSON. Integers keep all their digits. JSON knows no NaN and no infinity: they
 * become null (binary replies keep them).
 */
export function elementsToJson(tensor: Tensor, start = 0, end = tensor.data.length): JsonElements {
  const { data, datatype } = tensor;
  if (isBytes(data)) return bytesToJson(data.slice(start, end));
  if (datatype === 'BOOL')
    return {
      text: data.subarray(start, end).join(',').replaceAll('0', 'false').replaceAll('1', 'true'),
      base64: false,
    };
  if (datatype === 'FP16') return floatsToJson(fromHalves(data.subarray(start, end)));
  if (data instanceof Float32Array || data instanceof Float64Array) return floatsToJson(data.subarray(start, end));
  return { text: data.subarray(start, end).join(','), base64: false };
}

/** Says whether a tensor's data is BYTES. */
export function isBytes(data: Tensor['data']): data is BytesData {
  return Array.isArray(data);
}

function floatsToJson(values: ArrayLike<number>): JsonElements {
  let text = '';
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? 0;
    text += (index === 0 ? '' : ',') + (Number.isFinite(value) ? value : 'null');
  }
  return { text, base64: false };
}

function bytesToJson(values: BytesData): JsonElements {
  try {
    return {
      text: values.map((value) => JSON.stringify(value instanceof Uint8Array ? utf8.decode(value) : value)).join(','),
      base64: false,
    };
  } catch {
    // Some element is no UTF-8: say all of them in base64, so that one rule reads the tensor.
    return {
      text: values.map((value) => (value === null ? 'null' : `"${Buffer.from(value).toString('base64')}"`)).join(','),
      base64: true,
    };
  }
}
