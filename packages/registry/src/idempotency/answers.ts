/**
 * A client that lost an answer repeats its request with the same *key*; the *answer* of the first one is kept for a day
 * and given again, so that what was asked happens once. Two at once: the second waits for the first. A server that has
 * its database for itself keeps in memory what is under way, and only answers in the database.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { IngotError } from '@ingot/core/errors';
import type { Database } from '../database/database.ts';
import type { Log } from '../services.ts';
import type { IdempotencyKeyRow } from './tables.ts';

/** An answer as it is kept. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A request that carries a key. */
export interface KeyedRequest {
  /** Who asks: keys of different people never meet. */
  readonly identity: string;
  readonly key: string;
  /** Digest of method, address and body. */
  readonly fingerprint: string;
}

/** The right to do a request; ends with its answer, or with undefined when it may be tried again. */
export interface Turn {
  /** Whoever repeats the request meanwhile waits until the answer is kept; who was answered does not repeat it. */
  end(answer: KeptAnswer | undefined): void;
}

interface Running {
  readonly fingerprint: string;
  readonly ended: Promise<void>;
}

/** What keeping answers takes. */
export interface AnswersOptions {
  readonly database: Database;
  readonly now: () => Date;
  readonly log: Log;
}

const KEPT_MS = 24 * 60 * 60 * 1000;
/** Whoever has not answered after so long has died. */
const DEAD_AFTER_MS = 60_000;
const LONGEST_WAIT_MS = 30_000;
const LOOK_EVERY_MS = 50;
const CLEAN_EVERY_MS = 10 * 60 * 1000;

/** Keeps the answers to requests with keys. */
export class Answers {
  readonly #database: Database;
  readonly #now: () => Date;
  readonly #warn: (message: string) => void;
  readonly #running = new Map<string, Running>();
  #cleanedMs = Number.NEGATIVE_INFINITY;
  #opened: Promise<void> | undefined;

  constructor({ database, now, log }: AnswersOptions) {
    this.#database = database;
    this.#warn = (message) => log('warn', message);
    this.#now = now;
  }

  /**
   * Gives the kept answer, or the turn to make it.
   * @throws IngotError `conflict` when the key was used for another request, `unavailable` when the first one takes too long.
   */
  async answerOrTurn(request: KeyedRequest): Promise<KeptAnswer | Turn> {
    this.#opened ??= this.#forgetDead();
    await this.#opened;
    await this.#clean();
    return this.#database.kind === 'sqlite' ? this.#amongOwn(request) : this.#amongServers(request);
  }

  /** Waits until all answers that were to be kept are. */
  async settled(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  /** One server has an SQLite file to itself: what is under way it knows, and a turn that it does not end ends with it. */
  async #amongOwn(request: KeyedRequest): Promise<KeptAnswer | Turn> {
    for (let waitedMs = 0; this.#running.has(placeOf(request)); ) {
      if (this.#running.get(placeOf(request))?.fingerprint !== request.fingerprint) throw reused(request.key);
      if (waitedMs >= LONGEST_WAIT_MS) throw stillRunning(request.key);
      waitedMs += await this.#wait(request);
    }
    // Taken before it is asked for: what ends meanwhile cannot be missed.
    const turn = this.#turn(request);
    const row = await this.#find(request).catch((error: unknown) => {
      turn.end(undefined);
      throw error;
    });
    if (row === undefined) return turn;
    turn.end(undefined);
    if (row.fingerprint !== request.fingerprint) throw reused(request.key);
    return answerOf(row);
  }

  async #amongServers(request: KeyedRequest): Promise<KeptAnswer | Turn> {
    for (let waitedMs = 0; ; ) {
      const turn = await this.#claim(request);
      if (turn !== undefined) return turn;
      const row = await this.#find(request);
      if (row === undefined) continue;
      if (row.fingerprint !== request.fingerprint) throw reused(request.key);
      if (row.status !== null) return answerOf(row);
      if (await this.#takeOver(row)) return this.#turn(request);
      if (waitedMs >= LONGEST_WAIT_MS) throw stillRunning(request.key);
      waitedMs += await this.#wait(request);
    }
  }

  async #claim(request: KeyedRequest): Promise<Turn | undefined> {
    const { identity, key, fingerprint } = request;
    if (this.#running.has(placeOf(request))) return undefined;
    const begun_ms = this.#now().getTime();
    const { numInsertedOrUpdatedRows } = await this.#database.own
      .insertInto('idempotency_keys')
      .values({ identity, key, fingerprint, status: null, headers: null, body: null, begun_ms })
      .onConflict((conflict) => conflict.columns(['identity', 'key']).doNothing())
      .executeTakeFirst();
    return numInsertedOrUpdatedRows === 1n ? this.#turn(request) : undefined;
  }

  #turn(request: KeyedRequest): Turn {
    const place = placeOf(request);
    let ended = (): void => {};
    const running = new Promise<void>((resolve) => {
      ended = resolve;
    });
    this.#running.set(place, { fingerprint: request.fingerprint, ended: running });
    const end = async (answer: KeptAnswer | undefined): Promise<void> => {
      try {
        await (answer === undefined ? this.#drop(request) : this.#keep(request, answer));
      } catch (error) {
        this.#warn(`an answer could not be kept for who repeats the request: ${String(error)}`);
      } finally {
        this.#running.delete(place);
        ended();
      }
    };
    return { end: (answer) => void end(answer) };
  }

  async #keep(request: KeyedRequest, { status, headers, body }: KeptAnswer): Promise<void> {
    const { identity, key, fingerprint } = request;
    const answer = { status, headers: JSON.stringify(headers), body };
    if (this.#database.kind === 'sqlite') {
      const begun_ms = this.#now().getTime();
      await this.#database.own
        .insertInto('idempotency_keys')
        .values({ identity, key, fingerprint, begun_ms, ...answer })
        .onConflict((conflict) => conflict.columns(['identity', 'key']).doUpdateSet(answer))
        .execute();
      return;
    }
    await this.#database.own
      .updateTable('idempotency_keys')
      .set(answer)
      .where('identity', '=', identity)
      .where('key', '=', key)
      .execute();
  }

  async #drop({ identity, key }: KeyedRequest): Promise<void> {
    if (this.#database.kind === 'sqlite') return;
    await this.#database.own
      .deleteFrom('idempotency_keys')
      .where('identity', '=', identity)
      .where('key', '=', key)
      .execute();
  }

  #find({ identity, key }: KeyedRequest): Promise<IdempotencyKeyRow | undefined> {
    return this.#database.own
      .selectFrom('idempotency_keys')
      .selectAll()
      .where('identity', '=', identity)
      .where('key', '=', key)
      .executeTakeFirst();
  }

  /** Another replica has begun it and does not answer any more. */
  async #takeOver(row: IdempotencyKeyRow): Promise<boolean> {
    const nowMs = this.#now().getTime();
    const begunMs = Number(row.begun_ms);
    if (this.#running.has(placeOf(row)) || nowMs - begunMs < DEAD_AFTER_MS) return false;
    const { numUpdatedRows } = await this.#database.own
      .updateTable('idempotency_keys')
      .set({ begun_ms: nowMs })
      .where('identity', '=', row.identity)
      .where('key', '=', row.key)
      .where('begun_ms', '=', row.begun_ms)
      .where('status', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  async #wait(request: KeyedRequest): Promise<number> {
    const here = this.#running.get(placeOf(request))?.ended;
    const pause = sleep(here === undefined ? LOOK_EVERY_MS : LONGEST_WAIT_MS, undefined, { ref: false });
    const beganMs = performance.now();
    await (here === undefined ? pause : Promise.race([here, pause]));
    return performance.now() - beganMs;
  }

  /** One server has an SQLite file to itself: what was running when it starts will not end. */
  async #forgetDead(): Promise<void> {
    if (this.#database.kind !== 'sqlite') return;
    await this.#database.own.deleteFrom('idempotency_keys').where('status', 'is', null).execute();
  }

  async #clean(): Promise<void> {
    const nowMs = this.#now().getTime();
    if (nowMs - this.#cleanedMs < CLEAN_EVERY_MS) return;
    this.#cleanedMs = nowMs;
    await this.#database.own
      .deleteFrom('idempotency_keys')
      .where('begun_ms', '<', nowMs - KEPT_MS)
      .execute();
  }
}

/** Tells the turn to do a request from an answer that is there already. */
export function isTurn(value: KeptAnswer | Turn): value is Turn {
  return 'end' in value;
}

function placeOf({ identity, key }: Pick<KeyedRequest, 'identity' | 'key'>): string {
  return JSON.stringify([identity, key]);
}

function answerOf({ status, headers, body }: IdempotencyKeyRow): KeptAnswer {
  const kept: Record<string, string> = JSON.parse(headers ?? '{}');
  return { status: status ?? 200, headers: kept, body: body ?? '' };
}

function reused(key: string): IngotError {
  return new IngotError('conflict', `the Idempotency-Key "${key.slice(0, 60)}" was used for another request`, {
    hint: 'give every request a key of its own, and the same key only to its repetitions',
  });
}

function stillRunning(key: string): IngotError {
  return new IngotError('unavailable', `the request with the Idempotency-Key "${key.slice(0, 60)}" is not done yet`);
}
