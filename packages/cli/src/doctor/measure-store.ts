import type { BlobStore } from '@ingot/core/blob/blob-store';
import { filledBody } from '@ingot/core/blob/probe/canary';
import { IngotError } from '@ingot/core/errors';
import { formatBytes } from '../output/units.ts';

const LARGE_BYTES = 8 * 2 ** 20;
const SMALL_WRITES = 5;

/** What measuring needs from outside. */
export interface MeasureOptions {
  /** Names the blobs; must never repeat. */
  readonly id: string;
  /** Milliseconds of a clock that only goes forward. */
  readonly clock: () => number;
  readonly signal?: AbortSignal;
}

/**
 * Says how fast a storage is: 8 MiB written and read, and five small writes. Leaves nothing behind.
 * @throws IngotError `integrity` when it gives back another number of bytes, or what its calls throw.
 */
export async function measureStore(blobs: BlobStore, options: MeasureOptions): Promise<string> {
  const keys: string[] = [];
  const keyOf = (name: string): string => {
    const key = `changes/probe/${options.id}/measured-${name}`;
    keys.push(key);
    return key;
  };
  try {
    const large = keyOf('large');
    const writeMs = await timed(options, () => blobs.write(large, filledBody(LARGE_BYTES, 'm'), options));
    let readBytes = 0;
    const readMs = await timed(options, async () => {
      for await (const piece of blobs.read(large, options)) readBytes += piece.byteLength;
    });
    if (readBytes !== LARGE_BYTES)
      throw new IngotError('integrity', `${blobs.address} gave back ${readBytes} of ${LARGE_BYTES} bytes`);
    const times: number[] = [];
    for (let index = 0; index < SMALL_WRITES; index++)
      times.push(await timed(options, () => blobs.write(keyOf(String(index)), filledBody(100, 's'), options)));
    times.sort((a, b) => a - b);
    const small = (times[SMALL_WRITES >> 1] ?? 0).toFixed(1);
    return `writes ${rate(writeMs)}, reads ${rate(readMs)}, ${small} ms for a small write`;
  } finally {
    // What cannot be removed lies under `changes/`, which may be deleted any time; the probe tells it.
    await Promise.allSettled(keys.map((key) => blobs.delete(key)));
  }
}

async function timed({ clock }: MeasureOptions, work: () => Promise<unknown>): Promise<number> {
  const started = clock();
  await work();
  return Math.max(clock() - started, 0.001);
}

function rate(milliseconds: number): string {
  return `${formatBytes((LARGE_BYTES / milliseconds) * 1000)}/s`;
}
