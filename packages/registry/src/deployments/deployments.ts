/**
 * *What runs where*: every model server *reports* which versions it answers with and since when, at its start, when that
 * changes, and once a minute. What it reported is kept as stretches of time; a server that was not heard of for three
 * minutes is gone, and its stretches end when it was last heard of.
 */

import { storable } from '../index/storable.ts';
import type { Database } from '../database/database.ts';
import type { DeploymentRow } from './tables.ts';

/** A version that a server answers with, or has answered with. */
export interface ReportedVersion {
  readonly model: string;
  readonly number: number;
  readonly manifest: string;
  /** ISO 8601; when it began to answer. */
  readonly since: string;
  /** ISO 8601; when it ceased to; undefined while it answers. */
  readonly until?: string | undefined;
  readonly sources?: readonly string[] | undefined;
}

/** What a server reports: all that it answers with now, and what ended since its last report that arrived. */
export interface Report {
  readonly server: {
    /** One for each start of a server. */
    readonly id: string;
    readonly host: string;
    readonly address: string;
    readonly release: string;
    readonly startedAt: string;
  };
  readonly versions: readonly ReportedVersion[];
  /** The server is ending: all of it ends now. */
  readonly isLast?: boolean | undefined;
}

/** What became of a report. */
export interface ReportOutcome {
  /** Versions that were noted. */
  readonly noted: number;
  /** Those that this registry does not have, or the reporter may not read. */
  readonly ignored: readonly string[];
}

/** A version began or ceased to be answered with by a server. */
export interface DeploymentChange {
  readonly kind: 'began' | 'ended';
  readonly model: string;
  readonly modelId: string;
  readonly number: number;
  readonly manifest: string;
  readonly server: { readonly id: string; readonly host: string; readonly address: string };
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** A server that was not heard of for so long is gone. */
export const GONE_MS = 3 * 60_000;

const DAY_MS = 864e5;
/** How long what has ended is kept, where nobody says it. */
export const HISTORY_DAYS = 400;
const PRUNE_EVERY_MS = 36e5;

/** What keeping deployments needs. */
export interface DeploymentsOptions {
  readonly database: Pick<Database, 'own' | 'index'>;
  readonly now: () => Date;
  /** How many days what has ended is kept. Default: {@link HISTORY_DAYS}. */
  readonly historyDays?: number | undefined;
}

/** Notes what servers report. */
export class Deployments {
  readonly #options: DeploymentsOptions;
  readonly #listeners = new Set<(change: DeploymentChange) => void>();
  #prunedAt = 0;

  constructor(options: DeploymentsOptions) {
    this.#options = options;
  }

  /** Tells a listener of what begins and ends, until the function that it gives is called. A server that dies ends nothing here. */
  subscribe(listener: (change: DeploymentChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Notes a report; the same one again changes nothing.
   * @param mayRead says whether the reporter may know of a model.
   */
  async report(
    report: Report,
    { reporter, mayRead }: { readonly reporter: string; readonly mayRead: (model: string) => boolean },
  ): Promise<ReportOutcome> {
    const now = this.#options.now().getTime();
    const known: DeploymentRow[] = [];
    const ignored: string[] = [];
    for (const version of report.versions) {
      const row = mayRead(version.model) ? await this.#rowOf(report.server.id, version, now) : undefined;
      if (row === undefined) ignored.push(`${version.model}:${version.number}`);
      else known.push(report.isLast === true && row.until_at === null ? { ...row, until_at: now } : row);
    }
    const changes = await this.#store(report, known, { now, reporter });
    for (const change of changes) for (const listener of this.#listeners) listener(change);
    await this.#prune(now);
    return { noted: known.length, ignored };
  }

  /** Only what this registry has published is noted: another store may have models of the same names. */
  async #rowOf(server: string, version: ReportedVersion, now: number): Promise<DeploymentRow | undefined> {
    const { model, number, manifest, since, until, sources = [] } = version;
    const known = await this.#options.database.index
      .selectFrom('models')
      .innerJoin('versions', 'versions.model_id', 'models.id')
      .select('models.id')
      .where('models.name', '=', storable(model))
      .where('versions.number', '=', number)
      .where('versions.manifest', '=', storable(manifest))
      .executeTakeFirst();
    if (known === undefined) return undefined;
    // Clocks of servers may be ahead of this one.
    const from = Math.min(Date.parse(since), now);
    return {
      server_id: server,
      model_id: known.id,
      number,
      from_at: from,
      until_at: until === undefined ? null : Math.max(from, Math.min(Date.parse(until), now)),
      model,
      manifest,
      sources: JSON.stringify(sources.map(storable)),
    };
  }

  async #store(
    { server }: Report,
    rows: readonly DeploymentRow[],
    { now, reporter }: { readonly now: number; readonly reporter: string },
  ): Promise<readonly DeploymentChange[]> {
    const changes: DeploymentChange[] = [];
    await this.#options.database.own.transaction().execute(async (own) => {
      const before = await own
        .selectFrom('deployment_servers')
        .select('last_seen')
        .where('id', '=', server.id)
        .executeTakeFirst();
      const seen = {
        host: storable(server.host),
        address: storable(server.address),
        release: storable(server.release),
        last_seen: now,
        reported_by: storable(reporter),
      };
      await own
        .insertInto('deployment_servers')
        .values({ id: server.id, started_at: Math.min(Date.parse(server.startedAt), now), ...seen })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(seen))
        .execute();
      const open = await own
        .selectFrom('deployments')
        .selectAll()
        .where('server_id', '=', server.id)
        .where('until_at', 'is', null)
        .execute();
      const isOpen = new Map(open.map((row) => [keyOf(row), row]));
      for (const row of rows) {
        const stored = isOpen.get(keyOf(row));
        isOpen.delete(keyOf(row));
        if (stored !== undefined && row.until_at === null && stored.sources === row.sources) continue;
        const { until_at, sources, model } = row;
        const result = await own
          .insertInto('deployments')
          .values(row)
          .onConflict((conflict) =>
            conflict.columns(['server_id', 'model_id', 'number', 'from_at']).doUpdateSet({ until_at, sources, model }),
          )
          .returning('from_at')
          .executeTakeFirst();
        if (result !== undefined && stored === undefined && until_at === null)
          changes.push(changeOf('began', row, seen, row.from_at));
        if (stored !== undefined && until_at !== null) changes.push(changeOf('ended', row, seen, until_at));
      }
      // What it says nothing of any more has ended some time since its last word.
      for (const row of isOpen.values()) {
        const until = Math.max(row.from_at, before?.last_seen ?? now);
        await own
          .updateTable('deployments')
          .set({ until_at: until })
          .where('server_id', '=', row.server_id)
          .where('model_id', '=', row.model_id)
          .where('number', '=', row.number)
          .where('from_at', '=', row.from_at)
          .execute();
        changes.push(changeOf('ended', row, seen, until));
      }
    });
    return changes;
  }

  /** Forgets what has ended long ago, and servers of which nothing is left. */
  async #prune(now: number): Promise<void> {
    if (now - this.#prunedAt < PRUNE_EVERY_MS) return;
    this.#prunedAt = now;
    const { own } = this.#options.database;
    const oldest = now - (this.#options.historyDays ?? HISTORY_DAYS) * DAY_MS;
    const gone = own.selectFrom('deployment_servers').select('id').where('last_seen', '<', oldest);
    await own
      .deleteFrom('deployments')
      .where((where) => where.or([where('until_at', '<', oldest), where('server_id', 'in', gone)]))
      .execute();
    await own.deleteFrom('deployment_servers').where('last_seen', '<', oldest).execute();
  }
}

function keyOf({ model_id, number, from_at }: DeploymentRow): string {
  return `${model_id} ${number} ${from_at}`;
}

function changeOf(
  kind: DeploymentChange['kind'],
  { model, model_id: modelId, number, manifest, server_id: id }: DeploymentRow,
  { host, address }: { readonly host: string; readonly address: string },
  at: number,
): DeploymentChange {
  return { kind, model, modelId, number, manifest, server: { id, host, address }, at: new Date(at).toISOString() };
}
