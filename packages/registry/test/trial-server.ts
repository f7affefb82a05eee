import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { FormatOnce } from '@ingot/core/content/store-format';
import { openLogRegistry } from '@ingot/core/registry/open';
import type { RegistryServer, RegistryServerOptions } from '@ingot/registry/server';
import { startRegistryServer } from '@ingot/registry/server';

/** A whole registry server over a store in memory. Disposing it ends it and removes its files. */
export interface TrialServer extends AsyncDisposable {
  readonly url: string;
  readonly firstToken: string;
  readonly routes: RegistryServer['routes'];
  /** Everything that it has logged. */
  readonly logged: string[];
  /** Directory of its files. */
  readonly directory: string;
  ask(path: string, init?: RequestInit): Promise<Response>;
}

/** Starts a server that asks who one is, as if it listened to the world. `wrap` goes around its storage. */
export async function trialServer(
  over: Partial<RegistryServerOptions> = {},
  wrap: (blobs: BlobStore) => BlobStore = (blobs) => blobs,
): Promise<TrialServer> {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-trial-server-'));
  const blobs = wrap(createMemoryBlobStore());
  const format = new FormatOnce(blobs);
  await format.create();
  const logged: string[] = [];
  const server = await startRegistryServer({
    store: { address: 'memory', blobs, format, contents: createBlobContentStore(blobs, { format }) },
    openRegistry: (onEvent, beforeEvent) =>
      openLogRegistry({ blobs, actor: 'server', format, onEvent, beforeEvent, resident: true }),
    directory,
    workerDirectory: fileURLToPath(new URL('../../../python/src/ingot/_worker', import.meta.url)),
    host: '0.0.0.0',
    port: 0,
    // No balancer has to notice that it goes.
    drainMs: 0,
    version: '0.0.0',
    log: (level, message, facts) => logged.push(`${level} ${message} ${JSON.stringify(facts ?? {})}`),
    ...over,
  });
  const url = server.url.replace('0.0.0.0', '127.0.0.1');
  return {
    url,
    routes: server.routes,
    firstToken: server.firstToken ?? '',
    logged,
    directory,
    ask: (path, init) => fetch(`${url}${path}`, { redirect: 'manual', ...init }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A request with a token and a JSON body. */
export function withToken(token: string, method = 'GET', body?: unknown): RequestInit {
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  if (body === undefined) return { method, headers };
  return { method, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
