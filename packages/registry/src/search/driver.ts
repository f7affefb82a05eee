import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Check, Condition } from './checks.ts';
import { rowsSql } from './condition-sql.ts';
import type { RowsName, RowsSource } from './fields.ts';

/** Of so many rows at most it is quicker to take their versions and sort them than to go through all in order. */
const FEW = 500;

const INDEXED: ReadonlySet<RowsName> = new Set(['tags', 'packages', 'data', 'files', 'aliases', 'metrics']);

/**
 * Finds a part of a condition that few versions can meet: rows that an index finds, and so few that the search begins
 * with them. Gives `(…) as d join versions as v …`; undefined: it goes through all versions in their order.
 */
export async function driverOf(
  { kind, index }: Pick<Database, 'kind' | 'index'>,
  condition: Condition,
): Promise<RawBuilder<unknown> | undefined> {
  for (const { count, from } of driversIn(kind, condition)) {
    const found = await count.execute(index);
    if (isFew(found.rows)) return from;
  }
  return undefined;
}

/** A part of a condition that a search could begin with. */
export interface Driver {
  /** Asks how many rows there are, as `n`, of which no more than a few are counted. */
  readonly count: RawBuilder<Counted>;
  /** `(…) as d join versions as v …`. */
  readonly from: RawBuilder<unknown>;
}

/** What a count answers with. */
export interface Counted {
  readonly n: number;
}

/** Gives the parts of a condition that a search could begin with. */
export function driversIn(kind: Database['kind'], condition: Condition): readonly Driver[] {
  // Postgres has statistics and decides itself.
  if (kind === 'postgres') return [];
  return candidates(condition).map(({ source, predicate }) => {
    const rows = rowsSql(source, predicate, kind);
    return {
      count: sql<Counted>`select count(*) as n from (select 1 ${rows} limit ${FEW})`,
      from: sql`(select distinct t.model_id as model_id, t.number as number ${rows}) as d
        cross join versions as v on v.model_id = d.model_id and v.number = d.number`,
    };
  });
}

/** Says whether what was counted is so little that a search begins with it. */
export function isFew([first]: readonly Counted[]): boolean {
  return first !== undefined && first.n < FEW;
}

interface Candidate {
  readonly source: RowsSource;
  readonly predicate: Check['predicate'];
}

function candidates(condition: Condition): readonly Candidate[] {
  const parts = condition.kind === 'all' ? condition.of : [condition];
  return parts.flatMap((part) => {
    if (part.kind !== 'check' || part.isNegated || part.sources.length !== 1) return [];
    const [source] = part.sources;
    const { predicate } = part;
    const isNarrow = predicate.is === 'compared' && predicate.operator !== '!=';
    if (source?.kind !== 'rows' || !isNarrow || !INDEXED.has(source.rows)) return [];
    return [{ source, predicate }];
  });
}
