import { IngotError, systemErrorCode } from '@ingot/core/errors';
import { type Dialect, PostgresDialect } from 'kysely';
import pg from 'pg';

/** How a part of the database lies in Postgres. */
export interface PostgresPart {
  readonly schema: string;
  /** Whether a transaction is on the disk when it ends. */
  readonly durable: boolean;
  /** Connections at most. Default: 10. */
  readonly connections?: number;
}

const INT8 = 20;

// Counts and times in milliseconds are far below 2^53.
pg.types.setTypeParser(INT8, Number);

/** Says whether a text is the address of a Postgres database. */
export function isPostgresAddress(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text);
}

/** The address without user and password, for people. */
export function withoutSecrets(address: string): string {
  const url = new URL(address);
  return `postgres://${url.host}${url.pathname}`;
}

/**
 * Opens one schema of a Postgres database for Kysely, and makes it where it is not there.
 * @throws IngotError `unavailable` when nothing answers there, `forbidden` when it does not let us in.
 */
export async function postgresDialect(address: string, part: PostgresPart): Promise<Dialect> {
  const durability = part.durable ? 'on' : 'off';
  const pool = new pg.Pool({
    connectionString: address,
    max: part.connections ?? 10,
    connectionTimeoutMillis: 5000,
    options: `-c search_path=${part.schema} -c synchronous_commit=${durability}`,
  });
  // A connection that breaks while nobody uses it is replaced by the pool.
  pool.on('error', () => {});
  try {
    await pool.query(`create schema if not exists ${part.schema}`);
  } catch (error) {
    await pool.end();
    throw openingFailed(error, address);
  }
  return new PostgresDialect({ pool });
}

function openingFailed(error: unknown, address: string): IngotError {
  const code = systemErrorCode(error) ?? '';
  const isRefusal = code.startsWith('28') || code === '42501' || code === '3D000';
  const said = error instanceof Error ? error.message : String(error);
  return new IngotError(
    isRefusal ? 'forbidden' : 'unavailable',
    `the database ${withoutSecrets(address)} ${isRefusal ? 'does not let us in' : 'does not answer'}: ${said}`,
    { hint: 'INGOT_DB=postgres://USER:PASSWORD@HOST:5432/NAME ingot up', cause: error },
  );
}
