import { afterAll, describe, test } from 'vitest';

/**
 * Starts a server for the suites that `define` describes, and closes it behind the file's last test. Where it cannot
 * be had, a skipped test says so; with CI=true that is a failure.
 *
 * @example
 * await needServer('versitygw', startVersitygw, (server) => {
 *   describe('the S3 store on versitygw', () => { … });
 * });
 */
export async function needServer<Server extends { close(): Promise<void> }>(
  name: string,
  start: () => Promise<Server>,
  define: (server: Server) => void,
): Promise<void> {
  let server: Server;
  try {
    server = await start();
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    describe(name, () => test.skip(`${name} cannot be had here: ${firstLine(error)}`, () => {}));
    return;
  }
  afterAll(() => server.close());
  define(server);
}

const firstLine = (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n')[0];
