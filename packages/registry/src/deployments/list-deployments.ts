import { IngotError } from '@ingot/core/errors';
import { compact } from '@ingot/core/registry/fields';
import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { GONE_MS } from './deployments.ts';
import type { DeploymentRow, DeploymentServerRow } from './tables.ts';

/** Which deployments are asked for. */
export interface DeploymentQuery {
  /** Ids of models; undefined: all that may be read. */
  readonly models?: readonly string[] | undefined;
  readonly number?: number | undefined;
  /** Those that answered at some time between these, in milliseconds since 1970; default: ever, and until now. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Only those that answer now, or only those that do not. */
  readonly live?: boolean | undefined;
  readonly after?: readonly [number, string, string, number] | undefined;
  readonly limit: number;
  readonly now: Date;
}

/** A stretch of time in which a server answered with a version. */
export interface Deployment {
  readonly model: string;
  readonly modelId: string;
  readonly number: number;
  readonly manifest: string;
  readonly sources: readonly string[];
  readonly server: {
    readonly id: string;
    readonly host: string;
    readonly address: string;
    readonly release: string;
    readonly startedAt: string;
    readonly lastSeen: string;
    readonly reportedBy: string;
  };
  readonly since: string;
  /** When it ended; for a server that is gone, when it was last heard of. None: it answers now. */
  readonly until?: string;
  readonly isLive: boolean;
}

/** Some deployments, the latest first, and where the next page begins. */
export interface DeploymentPage {
  readonly items: readonly Deployment[];
  readonly next?: readonly [number, string, string, number];
}

type Row = DeploymentRow & Omit<DeploymentServerRow, 'id'>;

/** Lists what ran where. Throws nothing of its own. */
export async function listDeployments(
  { own, index, kind }: Pick<Database, 'own' | 'index' | 'kind'>,
  query: DeploymentQuery,
): Promise<DeploymentPage> {
  const { models, number, from, to, live, after, limit, now } = query;
  const alive = now.getTime() - GONE_MS;
  const isLive = sql<boolean>`(d.until_at is null and s.last_seen > cast(${alive} as bigint))`;
  const ids = JSON.stringify(models ?? []);
  const list =
    kind === 'sqlite' ? sql`select value from json_each(${ids})` : sql`select json_array_elements_text(${ids}::json)`;
  const wheres = [
    sql`1 = 1`,
    ...(models === undefined ? [] : [sql`d.model_id in (${list})`]),
    ...(number === undefined ? [] : [sql`d.number = cast(${number} as bigint)`]),
    ...(to === undefined ? [] : [sql`d.from_at < cast(${to} as bigint)`]),
    ...(from === undefined ? [] : [sql`(${isLive} or coalesce(d.until_at, s.last_seen) >= cast(${from} as bigint))`]),
    ...(live === undefined ? [] : [live ? isLive : sql`not ${isLive}`]),
    ...(after === undefined
      ? []
      : [
          sql`(d.from_at <= cast(${after[0]} as bigint) and (d.from_at, d.server_id, d.model_id, d.number)
      < (cast(${after[0]} as bigint), ${after[1]}, ${after[2]}, cast(${after[3]} as bigint)))`,
        ]),
  ];
  const { rows } = await sql<Row>`
    select d.*, s.host, s.address, s.release, s.started_at, s.last_seen, s.reported_by
    from deployments as d join deployment_servers as s on s.id = d.server_id
    where ${sql.join(wheres, sql` and `)}
    order by d.from_at desc, d.server_id desc, d.model_id desc, d.number desc limit ${limit + 1}`.execute(own);
  const shown = rows.slice(0, limit);
  const names = await namesOf(index, shown);
  const items = shown.map((row) => deploymentOf(row, names.get(row.model_id) ?? row.model, alive));
  const last = shown.at(-1);
  if (rows.length <= limit || last === undefined) return { items };
  return { items, next: [last.from_at, last.server_id, last.model_id, last.number] };
}

/** The names that models have now. */
async function namesOf(index: Database['index'], rows: readonly Row[]): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(rows.map(({ model_id }) => model_id))];
  if (ids.length === 0) return new Map();
  const named = await index.selectFrom('models').select(['id', 'name']).where('id', 'in', ids).execute();
  return new Map(named.flatMap(({ id, name }) => (name === null ? [] : [[id, name] as const])));
}

function deploymentOf(row: Row, model: string, alive: number): Deployment {
  const isLive = row.until_at === null && row.last_seen > alive;
  const until = isLive ? undefined : iso(row.until_at ?? row.last_seen);
  return compact({
    model,
    modelId: row.model_id,
    number: row.number,
    manifest: row.manifest,
    sources: sourcesOf(row.sources),
    server: {
      id: row.server_id,
      host: row.host,
      address: row.address,
      release: row.release,
      startedAt: iso(row.started_at),
      lastSeen: iso(row.last_seen),
      reportedBy: row.reported_by,
    },
    since: iso(row.from_at),
    until,
    isLive,
  });
}

function sourcesOf(text: string): readonly string[] {
  const value: unknown = JSON.parse(text);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw new IngotError('integrity', 'the sources of a deployment are no list of texts');
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
