import { IngotError } from '@ingot/core/errors';
import { type RawBuilder, sql } from 'kysely';
import { type OrderClause, parseOrder } from '../../tracking/filter-sql.ts';
import type { OrderTerm } from '../../tracking/keyset.ts';
import { RESERVED_TAGS } from './registry-names.ts';

/** A model's name as it was given. */
export const NAME = sql`coalesce((
  select d.value from model_tags as d where d.model_id = m.id and d.key = ${RESERVED_TAGS.displayName}), m.name)`;

/** Columns of times, by what clients call them. */
export const TIMES = new Map([
  ['creation_timestamp', 'created_at'],
  ['last_updated_timestamp', 'updated_at'],
  ['timestamp', 'updated_at'],
]);

/** How models are sorted; at last by name, so that no two are equal. Throws `usage`. */
export function modelOrder(clauses: readonly string[]): readonly OrderTerm[] {
  const terms = ordered(clauses, (key) => {
    if (key === 'name') return NAME;
    const column = TIMES.get(key);
    return column === undefined ? undefined : sql.ref(`m.${column}`);
  });
  return [...terms, { by: NAME }, { by: sql.ref('m.id') }];
}

/** How versions are sorted: what changed last first, unless it is said otherwise. Throws `usage`. */
export function versionOrder(clauses: readonly string[]): readonly OrderTerm[] {
  const terms = ordered(clauses, (key) => {
    if (key === 'name') return NAME;
    if (key === 'version_number' || key === 'version') return sql.ref('v.number');
    if (key === 'creation_timestamp') return sql.ref('v.published_at');
    return key === 'last_updated_timestamp' ? sql.ref('v.updated_at') : undefined;
  });
  const first = terms.length === 0 ? [{ by: sql.ref('v.updated_at'), descending: true }] : terms;
  return [
    ...first,
    { by: sql.ref('m.name') },
    { by: sql.ref('v.number'), descending: true },
    { by: sql.ref('v.model_id') },
  ];
}

function ordered(
  clauses: readonly string[],
  columnOf: (key: string) => RawBuilder<unknown> | undefined,
): readonly OrderTerm[] {
  const given = clauses.map(parseOrder);
  const twice = given.findIndex(({ key }, at) => given.findIndex((other) => other.key === key) !== at);
  if (twice >= 0)
    throw new IngotError('usage', `\`order_by\` contains duplicate fields: ${(clauses[twice] ?? '').slice(0, 200)}`);
  return given.map(({ key, entity, descending }: OrderClause) => {
    const by = columnOf(key);
    if (by === undefined)
      throw new IngotError(
        'usage',
        `Invalid order by key '${(entity === undefined ? key : `${entity}.${key}`).slice(0, 200)}' specified. Valid keys are 'name', 'version_number', 'creation_timestamp', 'last_updated_timestamp' (of models: 'name', 'timestamp', 'last_updated_timestamp')`,
      );
    return { by, descending };
  });
}
