/** How connections of storages are made: how many are kept, whom they trust, and through which proxy they go. */

import { readFileSync } from 'node:fs';
import { Agent as PlainAgent } from 'node:http';
import { Agent, type AgentOptions } from 'node:https';
import { rootCertificates } from 'node:tls';
import { IngotError } from '../../errors.ts';
import { proxyFor } from './proxy.ts';
import type { StorageEnv } from './storage-url.ts';
import { textOf } from './storage-url.ts';

/** Where connections go, and what decides how. */
export interface AgentSettings {
  readonly endpoint: string;
  readonly env: StorageEnv;
  /** Variables that name a file of certificates to trust besides the usual ones. Default: `NODE_EXTRA_CA_CERTS`. */
  readonly trust?: readonly string[];
}

/**
 * Makes an agent for TLS: by way of the proxy that `HTTPS_PROXY` names unless `NO_PROXY` leaves the host out.
 * @throws IngotError `invalid-config` for a proxy that is no address, and for a file of certificates that cannot be read.
 */
export async function httpsAgent(settings: AgentSettings, options: AgentOptions): Promise<Agent> {
  const certificates = certificatesOf(settings);
  const trusting = { ...options, ...certificates };
  const proxy = proxyFor(settings.endpoint, settings.env);
  if (proxy === undefined) return new Agent(trusting);
  if (!URL.canParse(proxy) || !/^https?:/i.test(proxy))
    throw new IngotError(
      'invalid-config',
      `HTTPS_PROXY=${proxy.replace(/[^/@]*@/, '***@')} is not an http(s) address`,
      {
        hint: 'HTTPS_PROXY=http://proxy:3128',
      },
    );
  const { HttpsProxyAgent } = await import('https-proxy-agent');
  const agent = new HttpsProxyAgent(proxy, trusting);
  // It keeps what it is given for the proxy, and forgets it for the server behind.
  Object.assign(agent.options, certificates);
  return agent;
}

/** Two agents for one server: one that keeps its connections, and one that makes each anew. */
export interface Agents {
  readonly kept: PlainAgent;
  readonly fresh: PlainAgent;
}

/** Makes the agents for a server, with TLS or without as its address says. */
export async function agentsFor(settings: AgentSettings, maxSockets: number): Promise<Agents> {
  const make = (options: AgentOptions) =>
    /^https:/i.test(settings.endpoint) ? httpsAgent(settings, options) : new PlainAgent(options);
  return { kept: await make({ keepAlive: true, maxSockets }), fresh: await make({ keepAlive: false }) };
}

/** Node reads `NODE_EXTRA_CA_CERTS` itself, but not where other certificates are named, nor from a configuration. */
function certificatesOf({ env, trust = ['NODE_EXTRA_CA_CERTS'] }: AgentSettings): { readonly ca?: string[] } {
  const extra = trust.flatMap((name) => {
    const file = textOf(env, name);
    return file === undefined ? [] : [read(name, file)];
  });
  return extra.length === 0 ? {} : { ca: [...rootCertificates, ...extra] };
}

function read(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new IngotError('invalid-config', `${name} names ${file}, which cannot be read`, { cause });
  }
}
