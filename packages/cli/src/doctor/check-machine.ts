import { access, constants, mkdir, stat, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { abandonedPulls } from '@ingot/core/pull-output';
import { formatBytes } from '../output/units.ts';
import type { Check } from './check.ts';
import { failed, ok, warning } from './check.ts';

const LITTLE_SPACE = 2e9;
const SKEW_MS = 5 * 60_000;

/** Checks that the cache can be written, and how much room its disk has. */
export async function checkCache(directory: string): Promise<Check> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.W_OK);
  } catch {
    return failed('cache', `${directory} cannot be written`, 'set INGOT_CACHE to a directory that can');
  }
  const { bavail, bsize } = await statfs(directory);
  const message = `${directory}, ${formatBytes(bavail * bsize)} free`;
  return bavail * bsize < LITTLE_SPACE ? warning('cache', message, 'ingot cache prune') : ok('cache', message);
}

/** Tells of pulls into a directory that were cut short: nothing else does before the next pull of the same package. */
export async function checkPulls(directory: string, now: () => Date): Promise<readonly Check[]> {
  // A directory that cannot be listed is no failure: nothing may ever be pulled into it.
  const left = await abandonedPulls(directory, now).catch(() => []);
  return left.map((path) =>
    warning(
      'pull',
      `${path} is left of a pull that was cut short`,
      `pull it again, which goes on with it; or rm -r ${path}`,
    ),
  );
}

/** Checks that the port of `serve` is free. */
export function checkPort(host: string, port: number): Promise<Check> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${error.code ?? error.message})`;
      resolve(warning('port', `${host}:${port} ${why}`, 'ingot serve --port 0 takes a free one'));
    });
    server.listen(port, host, () => server.close(() => resolve(ok('port', `${host}:${port} is free`))));
  });
}

/** Checks that a time which the storage gave between two of this machine is near them. Storages tell whole seconds. */
export function checkClock(storage: Date, { from, to }: { readonly from: Date; readonly to: Date }): Check {
  const [earliest, latest] = [from.getTime() - 1000, to.getTime() + 1000];
  const skewMs = Math.max(0, earliest - storage.getTime(), storage.getTime() - latest);
  const message =
    skewMs === 0 ? "agrees with the storage's clock" : `${(skewMs / 1000).toFixed(1)} s from the storage's clock`;
  return skewMs > SKEW_MS
    ? failed('clock', message, 'set the clock; a push more than 5 minutes off is refused')
    : ok('clock', message);
}

/** Says whether the directory exists, or the nearest parent that does. */
export async function nearestDirectory(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch {
    const parent = dirname(path);
    return parent === path ? path : nearestDirectory(parent);
  }
}
