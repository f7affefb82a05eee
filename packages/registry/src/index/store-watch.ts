/**
 * The *watch* brings in what others write to the store: hints of the last minutes every two seconds, all logs now and
 * then. A store that is slow or away only delays that.
 */

import type { BlobStore } from '@ingot/core/blob/blob-store';
import { isIngotError } from '@ingot/core/errors';
import { hintPrefix, parseHint } from '@ingot/core/registry/hints';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { Log } from '../services.ts';
import type { Follower } from './follower.ts';
import { NAMES } from './projector.ts';

/** What watching a store takes. */
export interface StoreWatchOptions {
  readonly index: Kysely<IndexTables>;
  readonly blobs: BlobStore;
  readonly follower: Follower;
  readonly log: Log;
  readonly now: () => Date;
}

/** A watch over a store. Disposing it waits for the look that is under way. */
export interface StoreWatch extends AsyncDisposable {
  /** Begins to look by itself. */
  start(): void;
  /** Looks at the hints now; says how many logs had grown. */
  lookAtHints(): Promise<number>;
  /** Looks at all logs now: what was projected last must still be in them. */
  sweep(): Promise<void>;
}

/** How often the hints are looked at, in milliseconds. */
export const HINTS_EVERY_MS = 2000;

/** How often all logs are: in a directory of this machine that costs next to nothing. */
export const SWEEP_EVERY_MS = { local: 60_000, away: 10 * 60_000 };

const MINUTE_MS = 60_000;
const REST_FACTOR = 50;
const LOGS_AT_ONCE = 16;
const HINTS_REMEMBERED = 20_000;

/** Models whose logs may still grow, as far as the index knows them: a closed log takes no more events. */
async function unfinishedModels(index: Kysely<IndexTables>): Promise<string[]> {
  const rows = await index
    .selectFrom('models')
    .select('id')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('events').select('seq').whereRef('events.log', '=', 'models.id').where('kind', '=', 'closed'),
        ),
      ),
    )
    .execute();
  return rows.map(({ id }) => id);
}

/** Makes a watch. */
export function createStoreWatch(options: StoreWatchOptions): StoreWatch {
  const { index, blobs, follower, log, now } = options;
  const known = new Set<string>();
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  let isEnded = false;
  let isAway = false;

  async function lookAtHints(): Promise<number> {
    if (known.size > HINTS_REMEMBERED) known.clear();
    const at = now().getTime();
    // Clocks of writers may be off by minutes; what comes even later is found by the sweep.
    const grown = new Map<string, number>();
    for (const minute of [at - 2 * MINUTE_MS, at - MINUTE_MS, at, at + MINUTE_MS])
      for await (const { key } of blobs.list(hintPrefix(new Date(minute)))) note(key, grown);
    let count = 0;
    for (const [name, seq] of [...grown].sort(([a]) => (a === NAMES ? -1 : 1))) {
      if ((await follower.placeOf(name)).seq >= seq) continue;
      count += 1;
      await follower.catchUp(name).catch(tolerated);
    }
    return count;
  }

  function note(key: string, grown: Map<string, number>): void {
    if (known.has(key)) return;
    known.add(key);
    const hint = parseHint(key);
    if (hint !== undefined) grown.set(hint.log, Math.max(hint.seq, grown.get(hint.log) ?? 0));
  }

  async function sweep(): Promise<void> {
    await follower.verify(NAMES);
    const ids = (await unfinishedModels(index)).values();
    const worker = async (): Promise<void> => {
      for (const id of ids) {
        if (isEnded) return;
        await follower.verify(id).catch(tolerated);
      }
    };
    await Promise.all(Array.from({ length: LOGS_AT_ONCE }, worker));
  }

  // A log that is broken is written down by the follower; the others go on.
  function tolerated(error: unknown): void {
    if (!isIngotError(error)) throw error;
  }

  function every(delayMs: number, look: () => Promise<unknown>): void {
    const next = (inMs: number): void => {
      if (isEnded) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        const beganAt = performance.now();
        const looking = guarded(look).finally(() => {
          running.delete(looking);
          // A look that takes long is not always under way.
          next(Math.max(delayMs, REST_FACTOR * (performance.now() - beganAt)));
        });
        running.add(looking);
      }, inMs);
      timer.unref();
      timers.add(timer);
    };
    next(delayMs);
  }

  async function guarded(look: () => Promise<unknown>): Promise<void> {
    try {
      await look();
      if (isAway) log('info', `${blobs.address} answers again`);
      isAway = false;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!isAway) log('warn', `what others write is not seen now: ${message}`);
      isAway = true;
    }
  }

  return {
    lookAtHints,
    sweep,
    start() {
      const first = guarded(sweep).finally(() => running.delete(first));
      running.add(first);
      every(HINTS_EVERY_MS, lookAtHints);
      every(blobs.capabilities.localFiles ? SWEEP_EVERY_MS.local : SWEEP_EVERY_MS.away, sweep);
    },
    async [Symbol.asyncDispose]() {
      isEnded = true;
      for (const timer of timers) clearTimeout(timer);
      await Promise.allSettled(running);
    },
  };
}
