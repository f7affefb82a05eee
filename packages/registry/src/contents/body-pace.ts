import { IngotError } from '@ingot/core/errors';

/** How slow a body may be. */
export interface BodyPace {
  /** No bytes for longer than this, and it is given up. */
  readonly silenceMs: number;
  /** Slower than this over all its time, and it is given up once `graceMs` have passed. */
  readonly bytesPerSecond: number;
  readonly graceMs: number;
  /** How often is looked. */
  readonly lookMs: number;
}

/** Slower than any line that models are sent over; a handful of packs share one. */
export const DEFAULT_PACE: BodyPace = {
  silenceMs: 30_000,
  bytesPerSecond: 4096,
  graceMs: 60_000,
  lookMs: 1000,
};

/** Passes a body on, as long as it does not stall. Throws `timeout` (408). */
export async function* inPace(body: AsyncIterable<Uint8Array>, pace: BodyPace): AsyncIterable<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  const startedAt = performance.now();
  let [bytes, waitedMs, lastAt, isWaiting] = [0, 0, startedAt, true];
  let stop: (error: IngotError) => void = () => {};
  // Each wait is a promise of its own: one for all of them would keep what each has given until the end of the body.
  const nextPiece = (): Promise<IteratorResult<Uint8Array>> =>
    new Promise((resolve, reject) => {
      stop = reject;
      pieces.next().then(resolve, reject);
    });
  // Only the time counts in which the server waits for the client, not that in which it works itself.
  const look = setInterval(() => {
    if (!isWaiting) return;
    const silentMs = performance.now() - lastAt;
    const error = tooSlow(pace, { bytes, silentMs, waitedMs });
    if (error !== undefined) stop(error);
  }, pace.lookMs);
  try {
    for (;;) {
      [lastAt, isWaiting] = [performance.now(), true];
      const next = await nextPiece();
      isWaiting = false;
      waitedMs += performance.now() - lastAt;
      if (next.done === true) return;
      bytes += next.value.byteLength;
      yield next.value;
    }
  } finally {
    clearInterval(look);
  }
}

/** How a body has come so far. */
export interface BodyProgress {
  readonly bytes: number;
  /** Since the last bytes came, and how long the server has waited before that. */
  readonly silentMs: number;
  readonly waitedMs: number;
}

/** The error for a body that stalls or trickles; undefined while it comes fast enough. */
export function tooSlow(pace: BodyPace, { bytes, silentMs, waitedMs }: BodyProgress): IngotError | undefined {
  const spentMs = waitedMs + silentMs;
  const trickles = spentMs > pace.graceMs && bytes < (pace.bytesPerSecond * spentMs) / 1000;
  if (silentMs <= pace.silenceMs && !trickles) return undefined;
  return new IngotError('timeout', `the body came too slowly: ${bytes} bytes in ${Math.round(spentMs / 1000)} s`, {
    details: { status: 408 },
  });
}
