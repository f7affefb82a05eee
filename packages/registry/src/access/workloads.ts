/**
 * A *workload* is a job of a build server that brings a statement signed by its issuer (a JWT). Only issuers that are
 * configured count, their keys come from where they say, and only what was signed for this server's audience.
 */

import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { digestOf } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import type { BroughtRights } from './authorizer.ts';
import { type Rights, rightsOf } from './grants.ts';
import { wrongCredentials, type Workloads } from './identify.ts';
import { fetchJson } from './issuer-fetch.ts';
import { grantsByClaims, type WorkloadConfig } from './sign-in-config.ts';

interface Known {
  readonly name: string;
  readonly rights: Rights;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Signatures that need a shared secret, or none, never count. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const KNOWN_AT_MOST = 5000;
const LONGEST_NAME = 120;

/** Says whom statements of build servers are about. One that was checked is known until it expires. */
export class TrustedWorkloads implements Workloads, BroughtRights {
  readonly #issuers: ReadonlyMap<string, readonly WorkloadConfig[]>;
  readonly #keys = new Map<string, Promise<JWTVerifyGetKey>>();
  readonly #known = new Map<string, Known>();
  readonly #now: () => Date;
  readonly #warn: (message: string) => void;

  constructor(
    configs: readonly WorkloadConfig[],
    { now, warn }: { readonly now: () => Date; readonly warn: (message: string) => void },
  ) {
    this.#issuers = grouped(configs);
    this.#now = now;
    this.#warn = warn;
  }

  get isEmpty(): boolean {
    return this.#issuers.size === 0;
  }

  async identify(jwt: string): Promise<{ readonly name: string; readonly subject: string }> {
    const subject = `workload:${digestOf(jwt).slice('sha256:'.length)}`;
    const known = this.#known.get(subject);
    const now = this.#now().getTime();
    if (known !== undefined && known.until > now) return { name: known.name, subject };
    const made = await this.#verify(jwt);
    if (this.#known.size >= KNOWN_AT_MOST) this.#forget(now);
    this.#known.set(subject, made);
    return { name: made.name, subject };
  }

  rightsOf(subject: string): Rights | undefined {
    const known = this.#known.get(subject);
    return known === undefined || known.until <= this.#now().getTime() ? undefined : known.rights;
  }

  async #verify(jwt: string): Promise<Known> {
    const { decodeJwt, jwtVerify } = await import('jose');
    let payload: JWTPayload;
    let config: WorkloadConfig | undefined;
    try {
      const { iss = '', aud } = decodeJwt(jwt);
      const audiences = typeof aud === 'string' ? [aud] : (aud ?? []);
      config = this.#issuers.get(iss)?.find(({ audience }) => audiences.includes(audience));
      if (config === undefined) throw wrongCredentials();
      const verified = await jwtVerify(jwt, await this.#keysOf(config), {
        issuer: config.issuer,
        audience: config.audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub'],
        currentDate: this.#now(),
        clockTolerance: 30,
      });
      payload = verified.payload;
    } catch (error) {
      if (error instanceof IngotError) throw error;
      this.#warn(`a signed statement was refused: ${error instanceof Error ? error.message : 'unknown'}`);
      throw wrongCredentials();
    }
    const grants = grantsByClaims(config.rules, payload);
    return { name: nameOf(config.name, payload), rights: rightsOf(grants), until: (payload.exp ?? 0) * 1000 };
  }

  #keysOf(config: WorkloadConfig): Promise<JWTVerifyGetKey> {
    const { issuer } = config;
    const known = this.#keys.get(issuer);
    if (known !== undefined) return known;
    const made = loadKeys(config);
    this.#keys.set(issuer, made);
    made.catch(() => this.#keys.delete(issuer));
    return made;
  }

  #forget(now: number): void {
    for (const [subject, { until }] of this.#known) if (until <= now) this.#known.delete(subject);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= KNOWN_AT_MOST && oldest !== undefined) this.#known.delete(oldest);
  }
}

async function loadKeys({ issuer, jwksUri }: WorkloadConfig): Promise<JWTVerifyGetKey> {
  const { createRemoteJWKSet } = await import('jose');
  const address = jwksUri ?? (await discoveredKeys(issuer));
  return createRemoteJWKSet(new URL(address), {
    timeoutDuration: 5000,
    cooldownDuration: 30_000,
    cacheMaxAge: 600_000,
  });
}

// The keys lie with the issuer: a document that points elsewhere would make this server ask whatever it names.
async function discoveredKeys(issuer: string): Promise<string> {
  const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const { issuer: said, jwks_uri: keys } = document;
  if (said !== issuer || typeof keys !== 'string' || new URL(keys).origin !== new URL(issuer).origin)
    throw new IngotError(
      'unavailable',
      `${issuer} says of itself that it is another issuer, or keeps its keys elsewhere`,
      {
        hint: 'name its keys in the sign-in file: "jwksUri"',
      },
    );
  return keys;
}

function nameOf(template: string, claims: JWTPayload): string {
  const text = template.replace(/\{([A-Za-z0-9_.:/-]+)\}/g, (_, claim: string) => {
    const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
    return typeof value === 'string' ? value : '?';
  });
  return text.replace(/[^\p{L}\p{N} ._@:/+?#-]/gu, '_').slice(0, LONGEST_NAME);
}

function grouped(configs: readonly WorkloadConfig[]): Map<string, WorkloadConfig[]> {
  const groups = new Map<string, WorkloadConfig[]>();
  for (const config of configs) groups.set(config.issuer, [...(groups.get(config.issuer) ?? []), config]);
  return groups;
}
