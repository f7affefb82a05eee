import { join } from 'node:path';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';

/** Finds MLflow's programs, `mlflow` and a `python` that has its client; for `needServer`, which has nothing to close. */
export async function findMlflow(): Promise<{ readonly bin: string; close(): Promise<void> }> {
  return { bin: join(await testServer('mlflow'), 'bin'), close: async () => {} };
}
