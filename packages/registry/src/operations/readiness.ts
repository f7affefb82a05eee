import type { BlobStore } from '@ingot/core/blob/blob-store';
import type { Database } from '../database/database.ts';
import { fileOf, NAMES } from '../index/projector.ts';
import type { Measured } from './metrics.ts';

/** Whether the server can work, and what it waits for. */
export interface ReadyState extends Omit<Measured, 'webhooksWaiting'> {
  readonly isReady: boolean;
  readonly isDraining: boolean;
}

/** What is looked at. */
export interface ReadinessOptions {
  readonly database: Database;
  readonly blobs: BlobStore;
}

const LONGEST_MS = 3000;
const KEPT_MS = 2000;
const LOGS_LOOKED_AT = 5;

/** Looks whether store and database answer. Whoever asks within two seconds gets the same answer. */
export class Readiness {
  readonly #options: ReadinessOptions;
  #isDraining = false;
  #known: { readonly at: number; readonly state: Promise<Omit<ReadyState, 'isDraining'>> } | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** Says from now on that the server is not ready: it is about to stop. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Whether the server is about to stop. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  async state(): Promise<ReadyState> {
    const at = performance.now();
    if (this.#known === undefined || at - this.#known.at > KEPT_MS) this.#known = { at, state: this.#look() };
    const state = await this.#known.state;
    return { ...state, isReady: state.isReady && !this.#isDraining, isDraining: this.#isDraining };
  }

  async #look(): Promise<Omit<ReadyState, 'isDraining'>> {
    const { database, blobs } = this.#options;
    const [storeSeconds, databaseSeconds] = await Promise.all([
      timed(() => blobs.stat('ingot.json')),
      timed(async () => {
        await database.index.selectFrom('logs').select('log').limit(1).execute();
        await database.own.selectFrom('access_facts').select('name').limit(1).execute();
      }),
    ]);
    const isReady = storeSeconds !== undefined && databaseSeconds !== undefined;
    const lag = isReady ? await this.#lag().catch(() => UNKNOWN) : UNKNOWN;
    return { isReady, storeSeconds, databaseSeconds, ...lag };
  }

  async #lag(): Promise<typeof UNKNOWN> {
    const { index } = this.#options.database;
    const problems = await index
      .selectFrom('log_problems')
      .select(({ fn }) => fn.countAll().as('count'))
      .executeTakeFirst();
    const recent = await index
      .selectFrom('models')
      .innerJoin('logs', 'logs.log', 'models.id')
      .select(['logs.log', 'logs.seq'])
      .where('models.closed', '=', 0)
      .orderBy('models.updated_at', 'desc')
      .limit(LOGS_LOOKED_AT)
      .execute();
    const names = await index.selectFrom('logs').select(['log', 'seq']).where('log', '=', NAMES).execute();
    const next = await Promise.all(
      [...names, ...recent].map(({ log, seq }) => this.#options.blobs.stat(fileOf(log, Number(seq) + 1))),
    );
    return {
      logProblems: Number(problems?.count ?? 0),
      logsBehind: next.filter((stat) => stat !== undefined).length,
    };
  }
}

const UNKNOWN = { logProblems: 0, logsBehind: 0 };

/** Seconds that something takes; undefined when it fails or takes too long. */
async function timed(look: () => Promise<unknown>): Promise<number | undefined> {
  const from = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), LONGEST_MS);
  });
  const outcome = await Promise.race([look().then(isDone, isFailed), tooLong]);
  clearTimeout(timer);
  return outcome ? (performance.now() - from) / 1000 : undefined;
}

const isDone = (): boolean => true;
const isFailed = (): boolean => false;
