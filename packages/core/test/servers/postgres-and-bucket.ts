import { type PostgresServer, startPostgres } from './postgres.ts';
import type { TestServer } from './server.ts';
import { startVersitygw } from './versitygw.ts';

/** A Postgres and a bucket: what two registry servers share. */
export interface PostgresAndBucket {
  readonly postgres: PostgresServer;
  readonly bucket: TestServer;
  close(): Promise<void>;
}

/** Starts a Postgres and an S3 server; rejects with the reason when one of them cannot be had here. */
export async function startPostgresAndBucket(): Promise<PostgresAndBucket> {
  const postgres = await startPostgres();
  try {
    const bucket = await startVersitygw();
    const close = async (): Promise<void> => {
      await bucket.close();
      await postgres.close();
    };
    return { postgres, bucket, close };
  } catch (error) {
    await postgres.close();
    throw error;
  }
}
