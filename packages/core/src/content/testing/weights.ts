/** Repeatable bytes that look like trained float32 weights: normal, small, with random mantissas. */
export function weights(sizeBytes: number, seed: number): Uint8Array {
  const floats = new Float32Array(Math.ceil(sizeBytes / 4));
  let state = (seed * 2654435761 + 12345) >>> 0;
  const uniform = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return (state + 1) / 4294967297;
  };
  for (let n = 0; n < floats.length; n += 2) {
    const radius = 0.02 * Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    floats[n] = radius * Math.cos(angle);
    floats[n + 1] = radius * Math.sin(angle);
  }
  return new Uint8Array(floats.buffer, 0, sizeBytes);
}
