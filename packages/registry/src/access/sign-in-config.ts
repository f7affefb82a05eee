/** Who besides this server vouches for people and build servers, as a file says it. */

import { IngotError } from '@ingot/core/errors';
import { z } from 'zod';
import { ROLES } from './grants.ts';

const GRANT = z.strictObject({
  role: z.enum(ROLES),
  scope: z.string().min(1).max(201).default('*'),
  aliases: z.array(z.string()).min(1).optional(),
});

const CLAIMS = z.record(z.string(), z.union([z.string(), z.array(z.string()), z.boolean()]));

const RULE = z.strictObject({
  /** All of which must be so; a list claim must hold the text. */
  claims: CLAIMS.default({}),
  grants: z.array(GRANT).min(1),
});

const ISSUER = z.url({ protocol: /^https?$/ }).refine(isSafe, 'an issuer is https, or on this machine');

const OIDC = z.strictObject({
  issuer: ISSUER,
  clientId: z.string().min(1),
  clientSecret: z.string().optional(),
  /** Address of this server as browsers see it; where they come back to. */
  publicUrl: z.url(),
  scopes: z.array(z.string()).default(['openid', 'profile', 'email']),
  /** Claim that names the account. */
  nameClaim: z.string().default('preferred_username'),
  /** What people get by their claims; whoever gets nothing may sign in and see nothing. */
  rules: z.array(RULE).default([]),
});

const WORKLOAD = z.strictObject({
  issuer: ISSUER,
  audience: z.string().min(1),
  /** Default: what the issuer's discovery document says. */
  jwksUri: ISSUER.optional(),
  /** Name in the history; claims in braces: `ci:{repository}`. */
  name: z.string().min(1).default('ci:{sub}'),
  rules: z.array(RULE).min(1),
});

const FILE = z.strictObject({ oidc: OIDC.optional(), workloads: z.array(WORKLOAD).max(50).default([]) });

/** What the file says. */
export type SignInConfig = z.infer<typeof FILE>;
/** The identity provider of people. */
export type OidcConfig = z.infer<typeof OIDC>;
/** An issuer whose statements about build servers count. */
export type WorkloadConfig = z.infer<typeof WORKLOAD>;
/** What somebody gets by their claims. */
export type ClaimRule = z.infer<typeof RULE>;

/**
 * Reads the file.
 * @param secret of the client at the identity provider, where the file does not say it.
 * @throws IngotError `invalid-config`.
 */
export function parseSignInConfig(text: string, secret?: string): SignInConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new IngotError('invalid-config', 'the sign-in file is no JSON', { cause });
  }
  const read = FILE.safeParse(json);
  if (!read.success)
    throw new IngotError('invalid-config', `the sign-in file is not valid: ${z.prettifyError(read.error)}`);
  const { oidc, workloads } = read.data;
  if (oidc === undefined || secret === undefined) return read.data;
  return { workloads, oidc: { ...oidc, clientSecret: secret } };
}

/** Grants of all rules whose claims are met. */
export function grantsByClaims(rules: readonly ClaimRule[], claims: Readonly<Record<string, unknown>>) {
  return rules
    .filter((rule) => Object.entries(rule.claims).every(([name, wanted]) => isMet(claims, name, wanted)))
    .flatMap(({ grants }) => grants.map(({ role, scope, aliases }) => ({ role, scope, ...(aliases && { aliases }) })));
}

function isMet(
  claims: Readonly<Record<string, unknown>>,
  name: string,
  wanted: string | readonly string[] | boolean,
): boolean {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  const accepted: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted];
  return Array.isArray(value) ? value.some((each) => accepted.includes(each)) : accepted.includes(value);
}

function isSafe(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
}
