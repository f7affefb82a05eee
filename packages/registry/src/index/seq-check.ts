import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { NAMES } from './projector.ts';

interface Waiting {
  readonly log: string;
  readonly resolve: (seqs: ReadonlyMap<string, number>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Asks how far logs were projected, by whomever: one query at a time, for all who have asked since the one before it
 * began. So an answer is never older than the question, and many questions cost one query.
 */
export class SeqCheck {
  readonly #index: Kysely<IndexTables>;
  #waiting: Waiting[] = [];
  #isAsking = false;

  constructor(index: Kysely<IndexTables>) {
    this.#index = index;
  }

  /** Gives how far the names log and another one are. */
  of(log: string): Promise<ReadonlyMap<string, number>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ log, resolve, reject });
      if (!this.#isAsking) void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    while (this.#waiting.length > 0) {
      const asked = this.#waiting;
      this.#waiting = [];
      try {
        const logs = [...new Set([NAMES, ...asked.map(({ log }) => log)])];
        const rows = await this.#index.selectFrom('logs').select(['log', 'seq']).where('log', 'in', logs).execute();
        const seqs = new Map(rows.map(({ log, seq }) => [log, seq]));
        for (const { resolve } of asked) resolve(seqs);
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.#isAsking = false;
  }
}
