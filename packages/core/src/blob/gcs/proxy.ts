import { Agent } from 'node:https';
import type { StorageEnv } from '../remote/storage-url.ts';
import { textOf } from '../remote/storage-url.ts';

/** How many connections are kept at once. */
export const SOCKETS = 64;

/**
 * Gives the agent for HTTPS requests to a host: by way of the proxy that `HTTPS_PROXY` names unless `NO_PROXY` leaves the
 * host out, as Google's own client does it.
 */
export async function httpsAgent(endpoint: string, env: StorageEnv): Promise<Agent> {
  const options = { keepAlive: true, maxSockets: SOCKETS };
  const proxy = proxyFor(endpoint, env);
  if (proxy === undefined) return new Agent(options);
  const { HttpsProxyAgent } = await import('https-proxy-agent');
  return new HttpsProxyAgent(proxy, options);
}

/** The proxy that requests to an address take, or undefined when they take none. */
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
