import type { BytesData, NumericData, Tensor } from '@ingot/core/serving/tensor';
import { fromHalves } from './half.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A tensor's elements as JSON text without the enclosing brackets, flat and row-major. */
export interface JsonElements {
  readonly text: string;
  /** True when BYTES elements that are no text were written in base64; then all of them are. */
  readonly base64: boolean;
}

/**
 * Writes all elements as JSON. Integers keep all their digits. JSON knows no NaN and no infinity: they become null
 * (binary replies keep them).
 */
export function elementsToJson(tensor: Tensor): JsonElements {
  const { data, datatype } = tensor;
  const whole = !isBytes(data) && datatype !== 'BOOL' && !datatype.startsWith('FP');
  if (whole) return { text: data.join(','), base64: false };
  const { texts, base64 } = elementTexts(tensor);
  return { text: texts.join(','), base64 };
}

/** Writes each element as JSON text of its own, by the same rules. */
export function elementTexts(tensor: Tensor): { readonly texts: readonly string[]; readonly base64: boolean } {
  const { data, datatype } = tensor;
  if (isBytes(data)) return bytesTexts(data);
  if (datatype === 'BOOL') return { texts: textsOf(data, (bit) => (bit ? 'true' : 'false')), base64: false };
  if (datatype === 'FP16') return { texts: fromHalves(data).map(floatText), base64: false };
  return {
    texts: textsOf(data, datatype.startsWith('FP') ? (value) => floatText(Number(value)) : String),
    base64: false,
  };
}

/** Says whether a tensor's data is BYTES. */
export function isBytes(data: Tensor['data']): data is BytesData {
  return Array.isArray(data);
}

function textsOf(data: NumericData, write: (value: number | bigint) => string): string[] {
  const texts = new Array<string>(data.length);
  for (let index = 0; index < data.length; index += 1) texts[index] = write(data[index] ?? 0);
  return texts;
}

function floatText(value: number): string {
  return Number.isFinite(value) ? `${value}` : 'null';
}

function bytesTexts(values: BytesData): { readonly texts: readonly string[]; readonly base64: boolean } {
  try {
    const texts = values.map((value) => JSON.stringify(value instanceof Uint8Array ? utf8.decode(value) : value));
    return { texts, base64: false };
  } catch {
    // Some element is no UTF-8: say all of them in base64, so that one rule reads the tensor.
    return {
      texts: values.map((value) => (value === null ? 'null' : `"${Buffer.from(value).toString('base64')}"`)),
      base64: true,
    };
  }
}
