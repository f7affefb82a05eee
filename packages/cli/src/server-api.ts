import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject, type JsonValue } from '@ingot/core/json';
import { errorOfProblem } from '@ingot/core/problem';
import type { Context } from './context.ts';
import { serverOrigin, tokenFor } from './credentials.ts';
import { refuseLentToken, refuseOpenLine } from './lent-token.ts';
import type { Settings } from './settings/settings.ts';

/** A request to a registry server. */
export interface ServerRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: JsonValue;
  /** Default: the token that is kept for the server. */
  readonly authorization?: string;
}

/** The native API of a registry server. */
export interface ServerApi {
  readonly url: string;
  /**
   * Asks; the answer is undefined where there is none (204).
   * @param path below `/api/v1`.
   * @throws IngotError as the server says, `unavailable` when nothing answers, `refused` where a secret would go to a
   * server that a file of the working directory names, or to another machine without TLS.
   */
  ask(path: string, request?: ServerRequest): Promise<JsonObject>;
}

/** Opens the server that the `registry` setting names. Throws `usage` when that is a store. */
export function serverOfRegistry(context: Context): ServerApi {
  const address = context.settings.text('registry') ?? '';
  if (/^https?:\/\//.test(address)) return openServerApi(address, context);
  throw new IngotError('usage', 'this asks a registry server, and the registry is a store', {
    hint: 'INGOT_REGISTRY=http://localhost:8585 ingot …   (ingot up runs one)',
  });
}

/** Opens the API of a server. */
export function openServerApi(url: string, { env, signal, settings }: Context): ServerApi {
  const base = `${url.replace(/\/+$/, '')}/api/v1`;
  serverOrigin(url);
  return {
    url,
    async ask(path, { method = 'GET', body, authorization } = {}) {
      const token = authorization === undefined ? await tokenFor(url, env) : undefined;
      const bearer = token === undefined ? authorization : `Bearer ${token}`;
      if (token !== undefined && isRegistry(url, settings)) refuseLentToken(settings);
      if (bearer !== undefined || tellsSecrets(path, body)) refuseOpenLine(url, settings);
      const headers: Record<string, string> = {
        'ingot-actor': encodeURIComponent(settings.text('actor') ?? 'unknown'),
      };
      if (bearer !== undefined) headers.authorization = bearer;
      if (body !== undefined) headers['content-type'] = 'application/json';
      const init = { method, headers, signal, redirect: 'error' as const };
      const response = await send(
        `${base}${path}`,
        body === undefined ? init : { ...init, body: JSON.stringify(body) },
        url,
      );
      const text = await response.text();
      if (!response.ok) throw withLogin(errorOfProblem(response.status, text, `${base}${path}`), url);
      if (text === '') return {};
      const value: JsonValue = JSON.parse(text);
      return isJsonObject(value) ? value : {};
    },
  };
}

/** Whether an address is that of the setting, which files of the working directory may have made. */
function isRegistry(url: string, settings: Settings): boolean {
  const address = settings.text('registry') ?? '';
  return URL.canParse(address) && new URL(address).origin === serverOrigin(url);
}

/** A password or the secret of a webhook goes out, or a token comes back. */
function tellsSecrets(path: string, body: JsonValue | undefined): boolean {
  if (path.startsWith('/sessions/device')) return true;
  return body !== undefined && isJsonObject(body) && ('password' in body || 'secret' in body);
}

async function send(address: string, init: RequestInit, url: string): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (cause) {
    if (init.signal?.aborted === true) throw new IngotError('interrupted', 'interrupted', { cause });
    throw new IngotError('unavailable', `no registry server answers at ${url}`, { cause, hint: `curl ${url}/healthz` });
  }
}

/** Servers do not know by what name they are called. */
function withLogin(error: IngotError, url: string): IngotError {
  if (error.code !== 'unauthenticated') return error;
  return new IngotError(error.code, error.message, { details: error.details, hint: `ingot login ${url}` });
}
