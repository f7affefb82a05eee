import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Builds the command line, unless it was built from the sources as they are now. */
export async function buildOnce(): Promise<void> {
  const script = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));
  await promisify(execFile)(process.execPath, [script, '--quiet']);
}
