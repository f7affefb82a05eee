const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Rounds a number to IEEE 754 half precision (ties to even) and gives its 16-bit pattern. Too large becomes infinity. */
export function toHalf(value: number): number {
  float[0] = value;
  const pattern = bits[0] ?? 0;
  const sign = (pattern >>> 16) & 0x8000;
  const exponent = (pattern >>> 23) & 0xff;
  const fraction = pattern & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200);
  const scaled = exponent - 127 + 15;
  if (scaled >= 31) return sign | 0x7c00;
  if (scaled > 0) return sign | roundShift((scaled << 23) | fraction, 13);
  if (scaled < -10) return sign;
  return sign | roundShift(fraction | 0x800000, 14 - scaled);
}

/** The number that a 16-bit half-precision pattern means. */
export function fromHalf(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> 10) & 0x1f;
  const fraction = pattern & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The numbers that a list of half-precision patterns means. */
export function fromHalves(patterns: { readonly length: number; readonly [index: number]: number | bigint }): number[] {
  const values = new Array<number>(patterns.length);
  for (let index = 0; index < patterns.length; index += 1) values[index] = fromHalf(Number(patterns[index]));
  return values;
}

function roundShift(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}
