import type { BlobPut } from '../oci/oci-place.ts';
import type { OnProgress } from '../progress.ts';
import { watched } from './layer-stream.ts';

/** Tells how far a layer is. */
export interface PutProgress {
  /** Counts the bytes that go by; another attempt counts from the beginning. */
  through(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Tells what became of it. */
  done(put: BlobPut): void;
}

const STEP_BYTES = 1024 * 1024;

/** Tells of a layer while it is sent, and how many of its bytes were new. */
export function putProgress(path: string, totalBytes: number, onProgress: OnProgress | undefined): PutProgress {
  const tell = (doneBytes: number, newBytes: number): void =>
    onProgress?.({ phase: 'store', path, doneBytes, totalBytes, newBytes, storedBytes: doneBytes - newBytes });
  return {
    through: (bytes) => {
      let [given, told] = [0, 0];
      return watched(bytes, (piece) => {
        given += piece.byteLength;
        if (given - told < STEP_BYTES) return;
        told = given;
        tell(given, given);
      });
    },
    done: (put) => tell(totalBytes, put === 'created' ? totalBytes : 0),
  };
}
