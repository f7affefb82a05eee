import type { OpenedStore } from '../open.ts';
import type { ServerApi } from '../server-api.ts';
import type { Check } from './check.ts';
import { ok, warning } from './check.ts';

const MODELS_LOOKED_AT = 1000;

/** What checking a registry server needs. */
export interface CheckServerOptions {
  readonly api: Pick<ServerApi, 'ask'>;
  /** The release of this command line. */
  readonly release: string;
  readonly signal: AbortSignal;
}

/**
 * Checks a registry server: that models can be listed there, of which release it is, and for whom it takes the caller.
 * @throws IngotError `unauthenticated` and `forbidden` as the server says, `unavailable` when it does not answer.
 */
export async function checkServer(
  store: Pick<OpenedStore, 'address' | 'registry'>,
  { api, release, signal }: CheckServerOptions,
): Promise<readonly Check[]> {
  const beganMs = performance.now();
  let models = 0;
  for await (const _ of store.registry.models({ signal })) {
    models += 1;
    if (models === MODELS_LOOKED_AT) break;
  }
  const tookMs = Math.round(performance.now() - beganMs);
  const few = models === 1 ? '1 model' : `${models} models`;
  const many = models === MODELS_LOOKED_AT ? `${models} or more models` : few;
  return [
    ok('store', `registry server ${store.address}: ${many} may be read, told in ${tookMs} ms`),
    checkRelease((await api.ask('')).version, release),
    checkAccount(await api.ask('/sessions/current')),
  ];
}

function checkRelease(version: unknown, release: string): Check {
  const message = `is of release ${String(version)}`;
  return version === release
    ? ok('server', message)
    : warning('server', `${message}, this command line of ${release}`, 'use the same release where you can');
}

function checkAccount({ name, kind }: Awaited<ReturnType<ServerApi['ask']>>): Check {
  if (kind !== 'open') return ok('account', `signed in as ${String(name)}`);
  return warning(
    'account',
    'nobody has one: everybody on the machine of the server may do everything',
    'ingot account add NAME',
  );
}
