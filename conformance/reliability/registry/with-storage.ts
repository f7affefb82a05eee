import type { PostgresServer } from '../../../packages/core/test/servers/postgres.ts';
import {
  type PostgresAndBucket,
  startPostgresAndBucket,
} from '../../../packages/core/test/servers/postgres-and-bucket.ts';
import type { TestServer } from '../../../packages/core/test/servers/server.ts';
import type { Outcome } from '../trial.ts';

/** Tries something over a Postgres and a bucket of its own; where they cannot be had it is skipped, with CI=true a failure. */
export async function withStorage(
  work: (postgres: PostgresServer, bucket: TestServer) => Promise<Outcome>,
): Promise<Outcome> {
  let both: PostgresAndBucket;
  try {
    both = await startPostgresAndBucket();
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    return { figures: {}, failures: [], skipped: [String(error).split('\n')[0] ?? ''] };
  }
  try {
    return await work(both.postgres, both.bucket);
  } finally {
    await both.close();
  }
}
