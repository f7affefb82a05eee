import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { IngotError } from '@ingot/core/errors';
import { openLogRegistry } from '@ingot/core/registry/open';
import { openRememberedStates } from '@ingot/core/registry/remembered';
import type { SignInConfig } from '@ingot/registry/access/sign-in-config';
import { type InUse, markInUse } from '@ingot/registry/operations/in-use';
import type { Log } from '@ingot/registry/services';
import { startRegistryServer } from '@ingot/registry/server';
import type { Context } from './context.ts';
import type { Settings } from './settings/settings.ts';
import { openStore } from './open.ts';
import { parseAge } from './output/age.ts';
import { toolVersion } from './tool-version.ts';
import { workerDirectory } from './worker-directory.ts';

/** Where a registry server listens, and who hears its log. */
export interface RegistryPlan {
  readonly host: string;
  readonly port: number;
  readonly log: Log;
}

/** A running registry server; disposing it ends it and lets go of the store. */
export interface RunningRegistry extends AsyncDisposable {
  readonly url: string;
  /** Address of the store. */
  readonly store: string;
  /** Whether it lets in everybody who reaches it. */
  readonly isOpen: boolean;
  /** A token of an admin that was made now; it is shown once. */
  readonly firstToken: string | undefined;
}

/** Two servers over SQLite are none that belong together: each keeps answers that the other changes. */
const OTHERS =
  'another server uses this state directory, and of what one writes the other hears only seconds later; give it --state of its own, or both a --db';

/** Starts a registry server over the store that the settings name, which is made where there is none. */
export async function startRegistry(plan: RegistryPlan, context: Context): Promise<RunningRegistry> {
  const { settings, now } = context;
  const store = await openStore(context, { creates: true, files: true, serves: true });
  let inUse: InUse | undefined;
  try {
    inUse = settings.text('db') === undefined ? await markInUse(stateDirectory(settings)) : undefined;
    if (inUse?.hasOthers === true) plan.log('warn', `${OTHERS}: ${stateDirectory(settings)}`);
    const server = await startRegistryServer({
      store: settings.text('direct') === 'no' ? { ...store, blobs: withoutAddresses(store.blobs) } : store,
      openRegistry: (onEvent, beforeEvent) =>
        openLogRegistry({
          blobs: store.blobs,
          actor: settings.text('actor') ?? 'unknown',
          clock: now,
          memory: openRememberedStates({ directory: join(store.remembered, 'server') }),
          format: store.format,
          onEvent,
          beforeEvent,
          resident: true,
          hints: true,
          onWarning: (message) => plan.log('warn', message),
        }),
      directory: stateDirectory(settings),
      workerDirectory: workerDirectory(),
      databaseAddress: settings.text('db'),
      host: plan.host,
      port: plan.port,
      allowedHosts: settings.list('allowed-hosts'),
      trustedProxies: settings.list('trusted-proxies'),
      webhookHosts: settings.list('webhook-hosts'),
      logRequests: settings.text('log') === 'json',
      traces: tracesOf(context),
      signIn: await signInOf(context),
      retentionEveryMs: retentionEvery(settings),
      deploymentHistoryDays: settings.number('deployment-history'),
      largestBlobBytes: settings.number('largest-blob'),
      largestManifestBytes: settings.number('largest-manifest'),
      sparseIndexes: settings.isOn('sparse-indexes'),
      version: toolVersion(),
      log: plan.log,
      now,
    });
    const end = async (): Promise<void> => {
      await server[Symbol.asyncDispose]();
      inUse?.[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    };
    const { url, isOpen, firstToken } = server;
    return { url, isOpen, firstToken, store: store.address, [Symbol.asyncDispose]: end };
  } catch (error) {
    inUse?.[Symbol.dispose]();
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** All goes through the server: for storages that clients do not reach. */
function withoutAddresses({ signed: _, ...blobs }: BlobStore): BlobStore {
  return blobs;
}

const SHORTEST_RETENTION_MS = 60_000;

function retentionEvery(settings: Settings): number | undefined {
  const text = settings.text('retention-every');
  if (text === undefined || text === '' || text === 'off') return undefined;
  const everyMs = parseAge(text, 'retention-every');
  if (everyMs >= SHORTEST_RETENTION_MS) return everyMs;
  throw new IngotError('usage', `retention-every is "${text}"; retention runs once a minute at most`, {
    hint: 'ingot up --retention-every 1d',
  });
}

/** Traces go where the environment says, and nowhere else. */
function tracesOf({ env }: Context) {
  const endpoint = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined || endpoint === '') return undefined;
  return { endpoint, headers: env.OTEL_EXPORTER_OTLP_HEADERS, serviceName: env.OTEL_SERVICE_NAME };
}

async function signInOf({ settings, env }: Context): Promise<SignInConfig | undefined> {
  const path = settings.path('sign-in');
  if (path === undefined) return undefined;
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new IngotError('invalid-config', `the sign-in file ${path} cannot be read`, { cause });
  });
  const { parseSignInConfig } = await import('@ingot/registry/access/sign-in-config');
  return parseSignInConfig(text, env.INGOT_OIDC_SECRET);
}

/** Directory of what the registry server keeps: its database and keys. */
export function stateDirectory(settings: Settings): string {
  const path = settings.path('state');
  if (path !== undefined) return path;
  throw new IngotError('invalid-config', 'the state directory is empty', { hint: 'ingot config show --origin' });
}
