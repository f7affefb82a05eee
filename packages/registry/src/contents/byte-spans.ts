/** Some bytes of a blob: from `start` on, up to before `end`. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/** Puts spans in order and joins those that touch. */
export function joinSpans(spans: readonly ByteSpan[]): readonly ByteSpan[] {
  const joined: ByteSpan[] = [];
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last === undefined || last.end < span.start) joined.push(span);
    else if (last.end < span.end) joined[joined.length - 1] = { start: last.start, end: span.end };
  }
  return joined;
}

/** Whether all bytes of a span lie in one of some joined spans. */
export function liesIn({ start, end }: ByteSpan, joined: readonly ByteSpan[]): boolean {
  return joined.some((span) => span.start <= start && end <= span.end);
}

/**
 * Passes bytes on with zeros for those outside of some joined spans.
 * @param startAt where in the blob the first of the bytes lies.
 */
export async function* onlySpans(
  bytes: AsyncIterable<Uint8Array>,
  joined: readonly ByteSpan[],
  startAt: number,
): AsyncIterable<Uint8Array> {
  let at = startAt;
  let next = 0;
  for await (const piece of bytes) {
    const shown = new Uint8Array(piece.byteLength);
    const endAt = at + piece.byteLength;
    while ((joined[next]?.end ?? Number.POSITIVE_INFINITY) <= at) next += 1;
    for (let n = next; n < joined.length; n += 1) {
      const { start, end } = joined[n] ?? { start: endAt, end: endAt };
      if (start >= endAt) break;
      const [from, to] = [Math.max(start, at) - at, Math.min(end, endAt) - at];
      shown.set(piece.subarray(from, to), from);
    }
    at = endAt;
    yield shown;
  }
}
