import type { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { storable } from './storable.ts';

type Index = Kysely<IndexTables>;

/** Whether an error says something of the log itself, not of the way to it. */
export function isLasting({ code }: IngotError): boolean {
  return code === 'tampered' || code === 'integrity' || code === 'refused';
}

/** Writes down what is wrong with a log; says whether nothing was known to be. */
export async function noteProblem(index: Index, log: string, error: IngotError, now: Date): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await index
    .insertInto('log_problems')
    .values({ log, code: error.code, message: storable(error.message), since: now.toISOString() })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}

/** Forgets what was wrong with a log. */
export async function clearProblem(index: Index, log: string): Promise<void> {
  await index.deleteFrom('log_problems').where('log', '=', log).execute();
}
