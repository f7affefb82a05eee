import type { Migration } from 'kysely';

/** Steps that bring tables up to date, by name; names sort in the order they run, and a released one is never edited. */
export type MigrationSteps = Readonly<Record<string, Migration>>;
