import type { BlobStore } from '@ingot/core/blob/blob-store';
import { toIngotError } from '../output/format-error.ts';
import { formatBytes } from '../output/units.ts';
import type { Check } from './check.ts';
import { failed, ok, warning } from './check.ts';

const PROBE_BYTES = 8 * 2 ** 20;
const SMALL_WRITES = 5;

/** What the probe needs from outside. */
export interface ProbeOptions {
  /** Names the probe's blobs; must never repeat. */
  readonly id: string;
  /** Milliseconds of a clock that only goes forward. */
  readonly clock: () => number;
  readonly signal?: AbortSignal;
}

/** What the probe found, and the storage's own time of its last write. */
export interface ProbeResult {
  readonly checks: readonly Check[];
  readonly storageTime?: Date;
}

/** Writes, reads, creates again and deletes blobs under `probe/`, and measures it. Leaves nothing behind. */
export async function probeStore(blobs: BlobStore, options: ProbeOptions): Promise<ProbeResult> {
  const key = `probe/${options.id}/large`;
  const written: string[] = [key];
  try {
    const [create, speed] = await probeLarge(blobs, key, options);
    const storageTime = (await blobs.stat(key, options))?.modifiedAt;
    const latency = await probeSmall(blobs, written, options);
    return {
      checks: [create, ok('store', `${blobs.address}: ${speed}, ${latency}`)],
      ...(storageTime === undefined ? {} : { storageTime }),
    };
  } catch (thrown) {
    const error = toIngotError(thrown);
    if (error.code === 'interrupted') throw error;
    return { checks: [failed('store', `${blobs.address}: ${error.message}`, error.hint)] };
  } finally {
    // A probe that failed may have nothing to remove; its own failure is what is reported.
    await Promise.allSettled(written.map((name) => blobs.delete(name)));
  }
}

async function probeLarge(blobs: BlobStore, key: string, options: ProbeOptions): Promise<[Check, string]> {
  const writeMs = await timed(options, () => blobs.write(key, body(PROBE_BYTES, 1), options));
  const again = await blobs.write(key, body(1, 2), options);
  let read = 0;
  let first: number | undefined;
  const readMs = await timed(options, async () => {
    for await (const part of blobs.read(key, options)) {
      first ??= part[0];
      read += part.byteLength;
    }
  });
  const honest = again === 'exists' && read === PROBE_BYTES && first === 1;
  const create = honest
    ? ok('create-if-absent', 'honoured')
    : failed('create-if-absent', 'the storage overwrites: publishing there could lose versions', 'use another storage');
  return [
    honest && blobs.capabilities.createIfAbsent === 'no'
      ? warning('create-if-absent', 'not promised by this storage')
      : create,
    `writes ${rate(writeMs)}, reads ${rate(readMs)}`,
  ];
}

async function probeSmall(blobs: BlobStore, written: string[], options: ProbeOptions): Promise<string> {
  const times: number[] = [];
  for (let index = 0; index < SMALL_WRITES; index++) {
    const key = `probe/${options.id}/${index}`;
    written.push(key);
    times.push(await timed(options, () => blobs.write(key, body(100, 3), options)));
  }
  times.sort((a, b) => a - b);
  return `${(times[SMALL_WRITES >> 1] ?? 0).toFixed(1)} ms for a small write`;
}

async function timed(options: ProbeOptions, work: () => Promise<unknown>): Promise<number> {
  const started = options.clock();
  await work();
  return Math.max(options.clock() - started, 0.001);
}

function rate(milliseconds: number): string {
  return `${formatBytes((PROBE_BYTES / milliseconds) * 1000)}/s`;
}

function body(sizeBytes: number, fill: number) {
  return {
    sizeBytes,
    async *open() {
      const piece = new Uint8Array(Math.min(sizeBytes, 2 ** 20)).fill(fill);
      for (let left = sizeBytes; left > 0; left -= piece.byteLength) yield piece;
    },
  };
}
