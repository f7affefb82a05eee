import type { StorageEnv } from './storage-url.ts';
import { textOf } from './storage-url.ts';

/** The proxy that requests to an address take: `HTTPS_PROXY` for TLS unless `NO_PROXY` leaves the host out, else none. */
export function proxyFor(endpoint: string, env: StorageEnv): string | undefined {
  const { protocol, hostname } = new URL(endpoint);
  if (protocol !== 'https:') return undefined;
  const proxy = textOf(env, 'HTTPS_PROXY') ?? textOf(env, 'https_proxy');
  if (proxy === undefined) return undefined;
  const without = (textOf(env, 'NO_PROXY') ?? textOf(env, 'no_proxy') ?? '').split(/[\s,]+/).filter(Boolean);
  return without.some((pattern) => leavesOut(pattern.toLowerCase(), hostname)) ? undefined : proxy;
}

function leavesOut(pattern: string, host: string): boolean {
  if (pattern === '*') return true;
  const bare = pattern.replace(/^\*?\./, '');
  return host === bare || host.endsWith(`.${bare}`);
}
