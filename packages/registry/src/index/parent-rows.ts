import { isIngotError } from '@ingot/core/errors';
import { parseReference, type Reference } from '@ingot/core/ref';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { storable } from './storable.ts';
import type { VersionParentRow } from './tables.ts';
import type { StoredRecord } from './version-rows.ts';

/** Rows of what versions were made from. A name means the model that had it when the version was published. */
export async function parentRows(
  index: Kysely<IndexTables>,
  records: readonly StoredRecord[],
): Promise<VersionParentRow[]> {
  const rows: VersionParentRow[] = [];
  for (const { modelId, number, lineage, publishedAt } of records) {
    for (const [place, parent] of (lineage?.parents ?? []).entries()) {
      const reference = referenceIn(parent);
      rows.push({
        model_id: modelId,
        number,
        place,
        parent: storable(parent),
        parent_model_id: reference === undefined ? null : await modelNamed(index, reference.name, publishedAt),
        parent_number: reference?.selector.kind === 'version' ? reference.selector.number : null,
      });
    }
  }
  return rows;
}

// Anything else is an address: it is kept as it was given.
function referenceIn(parent: string): Reference | undefined {
  try {
    return parseReference(parent);
  } catch (error) {
    if (!isIngotError(error)) throw error;
    return undefined;
  }
}

async function modelNamed(index: Kysely<IndexTables>, name: string, at: string): Promise<string | null> {
  const row = await index
    .selectFrom('model_names')
    .select('model_id')
    .where('name', '=', name)
    .where('from_at', '<=', at)
    .where((where) => where.or([where('until_at', 'is', null), where('until_at', '>', at)]))
    .orderBy('from_seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.model_id ?? null;
}
