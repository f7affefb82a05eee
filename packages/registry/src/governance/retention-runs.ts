import type { Kysely, Selectable } from 'kysely';
import type { Releasable, Retained } from './retention.ts';
import type { GovernanceTables, RetentionRunRow } from './tables.ts';

/** A version that a run looked at, and what became of it. */
export interface RunVersion {
  readonly model: string;
  readonly number: number;
  readonly reason: string;
  /** Why it stayed; undefined: it went. */
  readonly kept?: string;
}

/** What one run of retention did. */
export interface RetentionRun {
  readonly id: string;
  readonly beganAt: string;
  /** Null while it runs, and of a server that ended in its middle. */
  readonly endedAt: string | null;
  readonly actor: string;
  readonly isScheduled: boolean;
  /** Null: all models. */
  readonly model: string | null;
  readonly planned: number;
  readonly released: number;
  readonly kept: number;
  readonly releasedBytes: number;
  /** The first thousand. */
  readonly versions: readonly RunVersion[];
  readonly error: string | null;
}

/** What runs are kept with. */
export interface RetentionRunsOptions {
  readonly own: Kysely<GovernanceTables>;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
}

/** What a run begins with. */
export interface BegunRun {
  readonly actor: string;
  readonly isScheduled: boolean;
  readonly model: string | undefined;
  readonly planned: number;
}

const MOST_VERSIONS = 1000;
const KEPT_RUNS = 1000;

/** Keeps what each run of retention did: the thousand newest. */
export class RetentionRuns {
  readonly #options: RetentionRunsOptions;

  constructor(options: RetentionRunsOptions) {
    this.#options = options;
  }

  /** Notes that a run begins, before anything goes. Gives its id. */
  async begin({ actor, isScheduled, model, planned }: BegunRun): Promise<string> {
    const { own, now, random } = this.#options;
    const at = now();
    const id = `${at.getTime().toString(36).padStart(9, '0')}${Buffer.from(random(6)).toString('hex')}`;
    const row: RetentionRunRow = {
      id,
      began_at: at.toISOString(),
      ended_at: null,
      actor,
      scheduled: isScheduled ? 1 : 0,
      model: model ?? null,
      planned,
      released: 0,
      kept: 0,
      released_bytes: 0,
      versions: '[]',
      error: null,
    };
    await own.insertInto('governance_retention_runs').values(row).execute();
    return id;
  }

  /** Notes how a run ended. */
  async end(id: string, { released, kept }: Retained, error?: string): Promise<void> {
    const { own, now } = this.#options;
    const versions = [...released, ...kept].slice(0, MOST_VERSIONS).map(runVersion);
    await own
      .updateTable('governance_retention_runs')
      .set({
        ended_at: now().toISOString(),
        released: released.length,
        kept: kept.length,
        released_bytes: released.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        versions: JSON.stringify(versions),
        error: error?.slice(0, 500) ?? null,
      })
      .where('id', '=', id)
      .execute();
    await this.#prune();
  }

  /** Runs, newest first. */
  async list({ limit, before }: { readonly limit: number; readonly before?: string | undefined }) {
    const all = this.#options.own.selectFrom('governance_retention_runs').selectAll();
    const rows = await (before === undefined ? all : all.where('id', '<', before))
      .orderBy('id', 'desc')
      .limit(limit)
      .execute();
    return rows.map(runOf);
  }

  async #prune(): Promise<void> {
    const { own } = this.#options;
    const last = await own
      .selectFrom('governance_retention_runs')
      .select('id')
      .orderBy('id', 'desc')
      .offset(KEPT_RUNS)
      .limit(1)
      .executeTakeFirst();
    if (last !== undefined) await own.deleteFrom('governance_retention_runs').where('id', '<=', last.id).execute();
  }
}

function runVersion(version: Releasable & { readonly why?: string }): RunVersion {
  const { model, number, reason, why } = version;
  return { model, number, reason, ...(why !== undefined && { kept: why }) };
}

function runOf(row: Selectable<RetentionRunRow>): RetentionRun {
  const versions: RunVersion[] = JSON.parse(row.versions);
  return {
    id: row.id,
    beganAt: row.began_at,
    endedAt: row.ended_at,
    actor: row.actor,
    isScheduled: row.scheduled === 1,
    model: row.model,
    planned: row.planned,
    released: row.released,
    kept: row.kept,
    releasedBytes: Number(row.released_bytes),
    versions,
    error: row.error,
  };
}
