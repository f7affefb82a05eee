/**
 * Being let in by a registry. It says what it wants in `WWW-Authenticate`: a name and password with every request, or a
 * token of its own token server, made for one *scope* and gone after minutes. Source: distribution's "Token Authentication
 * Specification" and "OAuth2 Token Authentication".
 */

import { isLoopback } from '../blob/http/address.ts';
import type { HttpReply } from '../blob/http/client.ts';
import { IngotError } from '../errors.ts';
import { isJsonObject, parseJson } from '../json.ts';

/** What lets in: a name and password, a token that is shown to the token server, or a token that is sent as it is. */
export type RegistryCredential =
  | { readonly username: string; readonly password: string }
  | { readonly username: string; readonly identityToken: string }
  | { readonly bearer: string };

/** Finds what is known for a host. Default: nothing. */
export type FindCredential = (host: string, signal?: AbortSignal) => Promise<RegistryCredential | undefined>;

/** What a registry asks for. */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly realm?: string;
  readonly service?: string;
  readonly scope?: string;
}

/** Asks a token server; `body` is a form. */
export type AskTokenServer = (
  url: URL,
  call: {
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly signal?: AbortSignal | undefined;
  },
) => Promise<{ readonly status: number; readonly text: string }>;

/** Options of {@link RegistryAuth}. */
export interface RegistryAuthOptions {
  readonly host: string;
  /** Where the registry is asked; credentials go to a token server without TLS only where this has none either. */
  readonly origin: string;
  readonly find: FindCredential;
  readonly ask: AskTokenServer;
  /** Default: the system clock. */
  readonly now?: () => Date;
}

/** A token is no longer used when it ends within this time. */
const SPARE_MS = 10_000;
/** How long a token lasts whose server does not say. Source: the specification. */
const DEFAULT_SECONDS = 60;

/** Knows how to be let in by one registry. */
export class RegistryAuth {
  readonly #options: RegistryAuthOptions;
  readonly #tokens = new Map<string, { readonly token: string; readonly until: number }>();
  #credential: Promise<RegistryCredential | undefined> | undefined;
  #basic: string | undefined;

  constructor(options: RegistryAuthOptions) {
    this.#options = options;
  }

  /** The header for a request of a scope, as far as it is known by now; nobody is asked. */
  headerFor(scope: string): string | undefined {
    if (this.#basic !== undefined) return this.#basic;
    const kept = this.#tokens.get(scope);
    return kept === undefined || kept.until <= this.#now() ? undefined : `Bearer ${kept.token}`;
  }

  /**
   * Answers a challenge: afterwards {@link headerFor} knows what to send. Undefined: there is nothing to answer it with.
   * @throws IngotError `unauthenticated` when the credential is not taken, `refused` for a token server that must not get it.
   */
  async answer(reply: HttpReply, scope: string, signal?: AbortSignal): Promise<string | undefined> {
    const challenge = challengeOf(reply.headers['www-authenticate']);
    if (challenge === undefined) return undefined;
    const credential = await this.#find(signal);
    if (credential !== undefined && 'bearer' in credential)
      return this.#keep(scope, credential.bearer, DEFAULT_SECONDS);
    if (challenge.scheme === 'bearer') return await this.#token(challenge, scope, credential, signal);
    if (credential === undefined || !('password' in credential)) return undefined;
    this.#basic = basicOf(credential.username, credential.password);
    return this.#basic;
  }

  /** Forgets what was not taken, so that the next request asks anew. */
  forget(scope: string): void {
    this.#tokens.delete(scope);
    this.#basic = undefined;
    this.#credential = undefined;
  }

  /** Whether anything is known to be let in with. */
  async hasCredential(signal?: AbortSignal): Promise<boolean> {
    return (await this.#find(signal)) !== undefined;
  }

  #find(signal: AbortSignal | undefined): Promise<RegistryCredential | undefined> {
    this.#credential ??= this.#options.find(this.#options.host, signal);
    return this.#credential;
  }

  async #token(
    challenge: Challenge,
    scope: string,
    credential: Exclude<RegistryCredential, { readonly bearer: string }> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const url = this.#realm(challenge.realm);
    const { service } = challenge;
    const scopes = [...new Set(`${scope} ${challenge.scope ?? ''}`.split(' '))].filter(Boolean);
    const named: Record<string, string> = service === undefined ? {} : { service };
    const isIdentity = credential !== undefined && 'identityToken' in credential;
    if (!isIdentity) for (const [key, value] of Object.entries(named)) url.searchParams.set(key, value);
    if (!isIdentity) for (const one of scopes) url.searchParams.append('scope', one);
    const headers: Record<string, string> = {};
    if (credential !== undefined && 'password' in credential)
      headers.authorization = basicOf(credential.username, credential.password);
    const form = isIdentity
      ? {
          grant_type: 'refresh_token',
          refresh_token: credential.identityToken,
          client_id: 'ingot',
          scope: scopes.join(' '),
        }
      : undefined;
    const body = form === undefined ? {} : { body: String(new URLSearchParams({ ...named, ...form })) };
    const { status, text } = await this.#options.ask(url, { headers, ...body, signal });
    return this.#keepToken(scope, status, text, credential !== undefined);
  }

  #keepToken(scope: string, status: number, text: string, isKnown: boolean): string {
    const said = parseJson(text);
    if (status === 401 || status === 403 || status === 400) throw this.#notTaken(isKnown, status);
    const { token, access_token: access, expires_in: seconds } = isJsonObject(said) ? said : {};
    const found = typeof token === 'string' ? token : access;
    if (status !== 200 || typeof found !== 'string' || !/^[\x21-\x7e]+$/.test(found))
      throw new IngotError('unavailable', `the token server of ${this.#options.host} gave no token (HTTP ${status})`, {
        operation: 'oci.login',
        retryable: status >= 500 || status === 429,
        details: { status },
      });
    return this.#keep(scope, found, typeof seconds === 'number' ? seconds : DEFAULT_SECONDS);
  }

  #keep(scope: string, token: string, seconds: number): string {
    const until = this.#now() + Math.max(0, seconds * 1000 - SPARE_MS);
    this.#tokens.set(scope, { token, until });
    return `Bearer ${token}`;
  }

  // Whoever runs a registry, or stands between, may name any address: a password must not go there unencrypted.
  #realm(realm: string | undefined): URL {
    const { host, origin } = this.#options;
    const url = realm !== undefined && URL.canParse(realm) ? new URL(realm) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol))
      throw new IngotError('unavailable', `${host} names no token server that could be asked`, {
        operation: 'oci.login',
        retryable: false,
      });
    const isPlain = url.protocol === 'http:' && !isLoopback(url.hostname);
    if (isPlain && origin.startsWith('https:'))
      throw new IngotError('refused', `${host} names a token server without TLS: ${url.origin}`, {
        operation: 'oci.login',
        details: { host, realm: url.origin },
      });
    return url;
  }

  #notTaken(isKnown: boolean, status: number): IngotError {
    const { host } = this.#options;
    return new IngotError(
      'unauthenticated',
      isKnown
        ? `${host} does not accept the credentials that are kept for it`
        : `${host} lets nobody in without credentials`,
      { operation: 'oci.login', hint: loginHint(host), details: { host, status } },
    );
  }

  #now(): number {
    return (this.#options.now?.() ?? new Date()).getTime();
  }
}

/** How to be let in by a host, as a command. */
export function loginHint(host: string): string {
  return `docker login ${host}   (or set INGOT_OCI_USERNAME and INGOT_OCI_PASSWORD)`;
}

/** Reads `WWW-Authenticate`: a Bearer challenge before a Basic one; undefined for anything else. */
export function challengeOf(header: string | undefined): Challenge | undefined {
  if (header === undefined) return undefined;
  const [, parameters] = /(?:^|,\s*)Bearer\s+(.*)$/is.exec(header) ?? [];
  if (parameters !== undefined) {
    const values = new Map(
      [...parameters.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/gi)].map(([, key = '', value = '']) => [
        key.toLowerCase(),
        value.replace(/\\(.)/g, '$1'),
      ]),
    );
    const [realm, service, scope] = ['realm', 'service', 'scope'].map((key) => values.get(key));
    return {
      scheme: 'bearer',
      ...(realm === undefined ? {} : { realm }),
      ...(service === undefined ? {} : { service }),
      ...(scope === undefined ? {} : { scope }),
    };
  }
  return /(?:^|,\s*)Basic\b/i.test(header) ? { scheme: 'basic' } : undefined;
}

function basicOf(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
