import { type PostgresServer, startPostgres } from '../../../packages/core/test/servers/postgres.ts';
import type { TestServer } from '../../../packages/core/test/servers/server.ts';
import { startVersitygw } from '../../../packages/core/test/servers/versitygw.ts';
import type { Outcome } from '../trial.ts';

/** Tries something over a Postgres and a bucket of its own; where they cannot be had it is skipped, with CI=true a failure. */
export async function withStorage(
  work: (postgres: PostgresServer, bucket: TestServer) => Promise<Outcome>,
): Promise<Outcome> {
  let postgres: PostgresServer | undefined;
  let bucket: TestServer | undefined;
  try {
    postgres = await startPostgres();
    bucket = await startVersitygw();
  } catch (error) {
    await postgres?.close();
    if (process.env.CI === 'true') throw error;
    return { figures: {}, failures: [], skipped: [String(error).split('\n')[0] ?? ''] };
  }
  try {
    return await work(postgres, bucket);
  } finally {
    await postgres.close();
    await bucket.close();
  }
}
