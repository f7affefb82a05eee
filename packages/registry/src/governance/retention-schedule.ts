import type { Kysely } from 'kysely';
import type { Log } from '../services.ts';
import type { RetainReport } from './governance.ts';
import type { GovernanceTables } from './tables.ts';

/** How retention is applied by itself. */
export interface RetentionScheduleOptions {
  readonly own: Kysely<GovernanceTables>;
  /** Time between two runs, in milliseconds; each is up to a tenth earlier or later. */
  readonly everyMs: number;
  readonly retain: (options: { readonly signal: AbortSignal }) => Promise<RetainReport>;
  readonly log: Log;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  /** Time between two looks whether it is due. Default: a twentieth of `everyMs`, from 1 second to 30. */
  readonly lookMs?: number;
}

const NAME = 'retention';
const LEASE_MS = 120_000;
const SHORTEST_LOOK_MS = 1000;
const LONGEST_LOOK_MS = 30_000;
const LONGEST_START_MS = 600_000;

/**
 * Applies retention now and then. When it is due stands in the database, so that of several servers one does it, and
 * another when that one ends in its middle. Disposing it lets the version that is being released end.
 */
export class RetentionSchedule implements AsyncDisposable {
  readonly #options: RetentionScheduleOptions;
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: RetentionScheduleOptions) {
    this.#options = options;
  }

  /** Begins to look whether a run is due; the first is due a tenth of the time after the start, ten minutes at most. */
  async start(): Promise<void> {
    const { own, everyMs, now } = this.#options;
    const at = now().getTime();
    const soon = at + this.#jittered(Math.min(everyMs / 10, LONGEST_START_MS));
    await own
      .insertInto('governance_schedules')
      .values({ name: NAME, next_at: soon, leased_until: 0 })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    // One that was due while nobody ran waits as long as the first; one that is due later than it can be now, comes earlier.
    await this.#moveTo(soon, '<', at);
    await this.#moveTo(at + everyMs, '>', at + everyMs * 1.1);
    const { lookMs = Math.max(SHORTEST_LOOK_MS, Math.min(LONGEST_LOOK_MS, everyMs / 20)) } = this.#options;
    this.#timer = setInterval(() => this.look(), lookMs).unref();
  }

  /** Runs retention if it is due and nobody else does it. Never throws. */
  look(): Promise<void> {
    this.#running ??= this.#look()
      .catch((error: unknown) => this.#options.log('warn', `retention could not run: ${messageOf(error)}`))
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** When it is due next; undefined before the first start. */
  async nextAt(): Promise<Date | undefined> {
    const row = await this.#options.own
      .selectFrom('governance_schedules')
      .select('next_at')
      .where('name', '=', NAME)
      .executeTakeFirst();
    return row === undefined ? undefined : new Date(Number(row.next_at));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort();
    await this.#running;
  }

  async #look(): Promise<void> {
    if (this.#ending.signal.aborted || !(await this.#take())) return;
    const { retain, log, everyMs, now } = this.#options;
    const renewing = setInterval(() => void this.#renew().catch(() => {}), LEASE_MS / 3).unref();
    try {
      const { released, kept } = await retain({ signal: this.#ending.signal });
      if (released.length + kept.length > 0)
        log('info', 'retention ran', { released: released.length, kept: kept.length });
    } finally {
      clearInterval(renewing);
      // A run that was cut off is due again: whoever is there goes on with it.
      const wait = this.#ending.signal.aborted ? 0 : this.#jittered(everyMs * 1.1, 0.82);
      await this.#set({ next_at: now().getTime() + wait, leased_until: 0 });
    }
  }

  /** Of those who ask at once, one gets it. */
  async #take(): Promise<boolean> {
    const { own, now } = this.#options;
    const at = now().getTime();
    const outcome = await own
      .updateTable('governance_schedules')
      .set({ leased_until: at + LEASE_MS })
      .where('name', '=', NAME)
      .where('next_at', '<=', at)
      .where('leased_until', '<=', at)
      .executeTakeFirst();
    return Number(outcome.numUpdatedRows) > 0;
  }

  async #renew(): Promise<void> {
    await this.#set({ leased_until: this.#options.now().getTime() + LEASE_MS });
  }

  async #set(change: { readonly next_at?: number; readonly leased_until: number }): Promise<void> {
    await this.#options.own.updateTable('governance_schedules').set(change).where('name', '=', NAME).execute();
  }

  async #moveTo(nextAt: number, operator: '<' | '>', than: number): Promise<void> {
    await this.#options.own
      .updateTable('governance_schedules')
      .set({ next_at: Math.round(nextAt) })
      .where('name', '=', NAME)
      .where('next_at', operator, Math.round(than))
      .execute();
  }

  /** Between a share of a time and all of it. */
  #jittered(ms: number, from = 0): number {
    const [high = 0, low = 0] = this.#options.random(2);
    return Math.round(ms * (from + (1 - from) * ((high * 256 + low) / 65_536)));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
