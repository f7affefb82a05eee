import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ReadOptions } from '@ingot/core/content/content-store';
import type { Digest } from '@ingot/core/digest';
import type { HashedLayer } from '@ingot/core/package/manifest';
import { TAR_END, tarHeader, tarPadding } from '@ingot/core/package/tar';
import type { OciBlob } from './oci-blobs.ts';

/** Reads a file that a tar has. */
type ReadFile = (digest: Digest, options: ReadOptions) => AsyncIterable<Uint8Array>;

/** A piece of a tar: bytes that follow from what is known of a file, or the file's own. */
type Segment = { readonly bytes: Uint8Array } | { readonly digest: Digest; readonly sizeBytes: number };

const TURN_SEGMENTS = 200;

/** A tar layer as a blob: it is not stored but made of its files when it is read, also from the middle. */
export function tarBlob(layer: HashedLayer & { readonly kind: 'tar' }, read: ReadFile): OciBlob {
  const { digest, sizeBytes } = layer;
  return {
    sizeBytes,
    content: digest,
    read: (options = {}) => slice(layer, read, { ...options, range: options.range ?? { start: 0, end: sizeBytes } }),
  };
}

/** Passes over what is before the range, and ends behind it. */
async function* slice(
  layer: HashedLayer & { readonly kind: 'tar' },
  read: ReadFile,
  { range, ...options }: ReadOptions & { readonly range: { readonly start: number; readonly end: number } },
): AsyncGenerator<Uint8Array> {
  let at = 0;
  let passed = 0;
  for (const segment of segmentsOf(layer)) {
    const sizeBytes = 'bytes' in segment ? segment.bytes.byteLength : segment.sizeBytes;
    const [start, end] = [Math.max(range.start - at, 0), Math.min(range.end - at, sizeBytes)];
    at += sizeBytes;
    passed += 1;
    if (passed % TURN_SEGMENTS === 0) await nextTurn();
    if (start >= end) {
      if (at >= range.end) return;
      continue;
    }
    if ('bytes' in segment) yield segment.bytes.subarray(start, end);
    else {
      const isWhole = start === 0 && end === sizeBytes;
      yield* read(segment.digest, isWhole ? options : { ...options, range: { start, end } });
    }
  }
}

function* segmentsOf({ files }: HashedLayer & { readonly kind: 'tar' }): Generator<Segment> {
  for (const file of files) {
    yield { bytes: tarHeader(file) };
    yield { digest: file.digest, sizeBytes: file.sizeBytes };
    yield { bytes: tarPadding(file.sizeBytes) };
  }
  yield { bytes: TAR_END };
}
