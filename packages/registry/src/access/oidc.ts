/**
 * People sign in at an identity provider (OpenID Connect): in a browser by authorization code with PKCE, on a command
 * line by a code that is typed in any browser (device flow). What they may do follows from their claims at each sign-in.
 */

import { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { Configuration, IDToken } from 'openid-client';
import type { Accounts } from './accounts.ts';
import { grantsByClaims, type OidcConfig } from './sign-in-config.ts';
import type { AccessTables } from './tables.ts';
import { secretHash } from './token-text.ts';

/** What signing in needs. */
export interface OidcOptions {
  readonly own: Kysely<AccessTables>;
  readonly accounts: Accounts;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
}

/** A sign-in on a command line that has begun. */
export interface DeviceStart {
  /** Secret of this sign-in, to ask with whether it has happened. */
  readonly handle: string;
  /** What the person types. */
  readonly userCode: string;
  readonly verificationUri: string;
  readonly verificationUriComplete?: string;
  readonly expiresInSeconds: number;
  readonly intervalSeconds: number;
}

/** Sign-in through an identity provider. */
export interface OidcSignIn {
  readonly issuer: string;
  /** Begins in a browser: where to send it. `binding` is a secret that the same browser must come back with. */
  begin(returnTo: string): Promise<{ readonly location: string; readonly binding: string }>;
  /** Ends in a browser: who it is, and where they wanted to go. Throws `unauthenticated`. */
  complete(query: URLSearchParams, binding: string): Promise<{ readonly account: string; readonly returnTo: string }>;
  beginDevice(): Promise<DeviceStart>;
  /** Who has signed in; undefined: nobody yet. Throws `unauthenticated` when it was refused or took too long. */
  completeDevice(handle: string): Promise<string | undefined>;
}

const LASTS_MS = 10 * 60_000;
const PATH = '/api/v1/sessions/oidc/callback';

/** Opens sign-in at a provider; it is asked when the first person signs in. */
export function openOidc(config: OidcConfig, options: OidcOptions): OidcSignIn {
  let known: Promise<Configuration> | undefined;
  const provider = (): Promise<Configuration> => {
    known ??= discover(config).catch((error: unknown) => {
      known = undefined;
      throw new IngotError('unavailable', `the identity provider ${config.issuer} does not answer`, { cause: error });
    });
    return known;
  };
  const redirect = `${config.publicUrl.replace(/\/$/, '')}${PATH}`;
  const scope = config.scopes.join(' ');
  return {
    issuer: config.issuer,

    async begin(returnTo) {
      const client = await import('openid-client');
      const [state, nonce, verifier] = [client.randomState(), client.randomNonce(), client.randomPKCECodeVerifier()];
      const binding = client.randomState();
      const data = { nonce, verifier, returnTo: localPath(returnTo), binding: secretHash(binding) };
      await keep(options, state, 'code', data);
      const parameters = {
        redirect_uri: redirect,
        scope,
        state,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      };
      return { location: client.buildAuthorizationUrl(await provider(), parameters).href, binding };
    },

    async complete(query, binding) {
      const client = await import('openid-client');
      const state = query.get('state') ?? '';
      const { nonce = '', verifier = '', returnTo = '/', binding: bound } = await take(options, state, 'code');
      if (bound !== secretHash(binding)) throw refused('it was begun in another browser');
      const at = new URL(redirect);
      at.search = query.toString();
      const tokens = await client
        .authorizationCodeGrant(await provider(), at, {
          pkceCodeVerifier: verifier,
          expectedState: state,
          expectedNonce: nonce,
          idTokenExpected: true,
        })
        .catch((error: unknown) => {
          throw refused(reasonOf(error), error);
        });
      return { account: await accountOf(tokens.claims(), config, options), returnTo };
    },

    async beginDevice() {
      const client = await import('openid-client');
      const started = await client.initiateDeviceAuthorization(await provider(), { scope });
      const handle = client.randomState();
      await keep(options, handle, 'device', { code: started.device_code });
      return {
        handle,
        userCode: started.user_code,
        verificationUri: started.verification_uri,
        ...(started.verification_uri_complete && { verificationUriComplete: started.verification_uri_complete }),
        expiresInSeconds: Math.min(started.expires_in, LASTS_MS / 1000),
        intervalSeconds: started.interval ?? 5,
      };
    },

    async completeDevice(handle) {
      const client = await import('openid-client');
      const { code = '' } = await peek(options, handle, 'device');
      try {
        const parameters = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: code };
        const { grant_type: type, ...rest } = parameters;
        const tokens = await client.genericGrantRequest(await provider(), type, rest);
        await take(options, handle, 'device');
        return await accountOf(tokens.claims(), config, options);
      } catch (error) {
        const reason = reasonOf(error);
        if (reason === 'authorization_pending' || reason === 'slow_down') return undefined;
        throw error instanceof IngotError ? error : refused(reason, error);
      }
    },
  };
}

async function discover({ issuer, clientId, clientSecret }: OidcConfig): Promise<Configuration> {
  const client = await import('openid-client');
  const isPlain = issuer.startsWith('http:');
  return client.discovery(new URL(issuer), clientId, clientSecret, undefined, {
    timeout: 10,
    execute: isPlain ? [client.allowInsecureRequests] : [],
  });
}

async function accountOf(claims: IDToken | undefined, config: OidcConfig, { accounts }: OidcOptions): Promise<string> {
  if (claims === undefined) throw refused('the provider does not say who it is');
  const named = claims[config.nameClaim] ?? claims.email ?? claims.sub;
  const name = String(named)
    .replace(/[^A-Za-z0-9._@+-]/g, '-')
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return accounts.ofExternal({
    name: name.slice(0, 100),
    external: { issuer: config.issuer, id: claims.sub },
    grants: grantsByClaims(config.rules, claims),
  });
}

type Kept = Readonly<Record<string, string>>;

async function keep({ own, now }: OidcOptions, secret: string, kind: string, data: Kept): Promise<void> {
  const at = now();
  await own.deleteFrom('access_sign_ins').where('expires_at', '<', at.toISOString()).execute();
  const expires = new Date(at.getTime() + LASTS_MS).toISOString();
  const row = { id: secretHash(secret), kind, data: JSON.stringify(data), expires_at: expires };
  await own.insertInto('access_sign_ins').values(row).execute();
}

async function peek({ own, now }: OidcOptions, secret: string, kind: string): Promise<Kept> {
  const row = await own
    .selectFrom('access_sign_ins')
    .selectAll()
    .where('id', '=', secretHash(secret))
    .where('kind', '=', kind)
    .executeTakeFirst();
  if (row === undefined || row.expires_at <= now().toISOString()) throw refused('it took too long, or has ended');
  const data: Record<string, string> = JSON.parse(row.data);
  return data;
}

/** A sign-in counts once. */
async function take(options: OidcOptions, secret: string, kind: string): Promise<Kept> {
  const data = await peek(options, secret, kind);
  await options.own.deleteFrom('access_sign_ins').where('id', '=', secretHash(secret)).execute();
  return data;
}

/** Where a browser goes on to is a path of this server. */
function localPath(path: string): string {
  return /^\/(?![/\\])[^\s\\]*$/.test(path) ? path : '/';
}

function reasonOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'error' in error && typeof error.error === 'string')
    return error.error;
  return error instanceof Error ? error.message : 'the provider refused';
}

function refused(why: string, cause?: unknown): IngotError {
  return new IngotError('unauthenticated', `this sign-in does not count: ${why}`, { cause, hint: 'sign in again' });
}
