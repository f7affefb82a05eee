/**
 * *Repository tokens* are what clients of container registries work with: asked for with an account or a service token,
 * good for a quarter of an hour, and only for the repositories and actions that were named. What whoever has one may do
 * is looked up anew at each request, so that nothing outlives what was revoked.
 */

import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { OciManifestTables } from '../oci/manifest-tables.ts';
import { wrongCredentials } from './identify.ts';
import type { Identity, Permission, RequestOrigin, Target } from './identity.ts';

/** What clients may ask for, in the words of container registries. */
export const REPOSITORY_ACTIONS = ['pull', 'push', 'delete'] as const;

/** An action on a repository. */
export type RepositoryAction = (typeof REPOSITORY_ACTIONS)[number];

/** What a token is for: actions by repository; `catalog`: to see which repositories there are. */
export interface RepositoryScope {
  readonly repositories: Readonly<Record<string, readonly RepositoryAction[]>>;
  readonly catalog: boolean;
}

/** Tables that keep the key. */
export type RepositoryTokenTables = Pick<OciManifestTables, 'oci_settings'>;

const LIVES_SECONDS = 900;
const AUDIENCE = 'repositories';
const KEY = 'token-key';
const TYPE = 'repository+jwt';
const KINDS: ReadonlySet<unknown> = new Set(['user', 'token', 'open']);

/** What repository tokens are made with. */
export interface RepositoryTokensOptions {
  readonly own: Kysely<RepositoryTokenTables>;
  readonly now: () => Date;
  /** Whether whoever it was given to may still come in. */
  readonly isCurrent: (identity: Identity) => boolean;
}

/** Gives and reads repository tokens. Servers over one database read each other's. */
export class RepositoryTokens {
  readonly #options: RepositoryTokensOptions;
  #key: Promise<Uint8Array> | undefined;

  constructor(options: RepositoryTokensOptions) {
    this.#options = options;
  }

  /** Makes a token. @returns it, and for how many seconds it is good. */
  async make(
    identity: Identity,
    scope: RepositoryScope,
  ): Promise<{ readonly token: string; readonly seconds: number }> {
    const { SignJWT } = await import('jose');
    const { kind, name, authenticated, subject, account } = identity;
    const at = Math.floor(this.#options.now().getTime() / 1000);
    const token = await new SignJWT({ kind, name, authenticated, account, access: { ...scope } })
      .setProtectedHeader({ alg: 'HS256', typ: TYPE })
      .setSubject(subject ?? '')
      .setAudience(AUDIENCE)
      .setIssuedAt(at)
      .setExpirationTime(at + LIVES_SECONDS)
      .sign(await this.#signingKey());
    return { token, seconds: LIVES_SECONDS };
  }

  /** Whether a text may be one: others are not looked at here. */
  mayBe(text: string): boolean {
    const [head = ''] = text.split('.', 1);
    return Buffer.from(head, 'base64url').toString('latin1').includes(TYPE);
  }

  /** Says who came with a token. Throws `unauthenticated` for one that is forged, expired, or of somebody who is gone. */
  async identify(text: string, origin: RequestOrigin): Promise<Identity> {
    const { jwtVerify } = await import('jose');
    const { errors } = await import('jose');
    try {
      const { payload } = await jwtVerify(text, await this.#signingKey(), {
        algorithms: ['HS256'],
        audience: AUDIENCE,
        typ: TYPE,
        currentDate: this.#options.now(),
        requiredClaims: ['exp', 'sub'],
      });
      const identity = identityOf(payload, origin);
      if (identity !== undefined && this.#options.isCurrent(identity)) return identity;
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
    }
    throw wrongCredentials();
  }

  #signingKey(): Promise<Uint8Array> {
    this.#key ??= this.#readKey().catch((error: unknown) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  /** The first server that comes decides; others of the same database read what it wrote. */
  async #readKey(): Promise<Uint8Array> {
    const { own } = this.#options;
    // Never from a source that a test may have made predictable.
    await own
      .insertInto('oci_settings')
      .values({ name: KEY, value: randomBytes(32).toString('hex') })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const row = await own.selectFrom('oci_settings').select('value').where('name', '=', KEY).executeTakeFirstOrThrow();
    return Buffer.from(row.value, 'hex');
  }
}

function identityOf(payload: Readonly<Record<string, unknown>>, origin: RequestOrigin): Identity | undefined {
  const { kind, name, authenticated, sub, account, access } = payload;
  if (!KINDS.has(kind) || typeof name !== 'string' || typeof sub !== 'string') return undefined;
  return {
    kind: kind === 'user' || kind === 'open' ? kind : 'token',
    name,
    authenticated: authenticated === true,
    ...(sub !== '' && { subject: sub }),
    ...(typeof account === 'string' && { account }),
    limit: limitOf(Object(access)),
    origin,
  };
}

/** What a scope lets through. Whoever may do anything to a repository may read it. */
function limitOf({ repositories, catalog }: Partial<RepositoryScope>) {
  const byName = new Map(Object.entries(repositories ?? {}));
  return (permission: Permission, target: Target): boolean => {
    if (target.kind === 'server') return false;
    const actions = byName.get(target.model) ?? [];
    if (permission === 'read') return actions.length > 0 || catalog === true;
    if (permission === 'push') return actions.includes('push');
    if (permission === 'promote') return actions.includes('push') || actions.includes('delete');
    return actions.includes('delete');
  };
}
