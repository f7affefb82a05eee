import { IngotError } from '@ingot/core/errors';
import { z } from 'zod';
import type { Access } from '../../access/access.ts';
import type { AccessState } from '../../access/access-state.ts';
import type { Identity } from '../../access/identity.ts';
import type { Audit } from '../../audit/audit.ts';
import { originOf } from '../gate.ts';
import { AccountName, GrantBody, grantOf, NewTokenRecord, TokenRecord } from './access-schemas.ts';
import type { NativeApp, NativeRoutes } from './native-api.ts';
import { problems, WRITE_PROBLEMS } from './problems.ts';

const DAY_MS = 86_400_000;
const SERVER = { kind: 'server' } as const;
const Draft = z.strictObject({
  name: z.string().min(1).max(100),
  account: AccountName.optional().describe('Whose it is; default: of whoever asks. Another’s only for an admin.'),
  service: z.boolean().default(false).describe('Nobody’s: it may what its scopes say. Only for an admin.'),
  scopes: z.array(GrantBody).min(1).max(100).optional().describe('Default: all that the account may.'),
  expiresInDays: z.number().positive().max(3650).optional().describe('Default: it does not expire.'),
});

/** Routes of service tokens: `/tokens…`. */
export function tokenRoutes(access: Access, audit: Audit): NativeRoutes {
  return (app, { now }) => {
    listing(app, access);
    creating(app, access, audit, now);
    revoking(app, access, audit);
  };
}

function listing(app: NativeApp, { accounts, authorizer }: Access): void {
  app.get(
    '/tokens',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'listTokens',
        tags: ['access'],
        summary: 'Lists one’s own tokens; all of them for an admin.',
        response: { 200: z.object({ items: z.array(TokenRecord) }), ...problems() },
      },
    },
    async ({ identity }) => {
      if (authorizer.may(identity, 'admin', SERVER)) return { items: await accounts.tokens() };
      return { items: identity.account === undefined ? [] : await accounts.tokens(identity.name) };
    },
  );
}

function creating(
  app: NativeApp,
  { accounts, authorizer, state }: Access,
  { accessLog }: Audit,
  now: () => Date,
): void {
  app.post(
    '/tokens',
    {
      config: { access: { handler: 'checks' }, idempotency: false },
      schema: {
        operationId: 'createToken',
        tags: ['access'],
        summary: 'Makes a token; it is shown once.',
        body: Draft,
        response: { 201: NewTokenRecord, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { identity, body } = request;
      const account = ownerOf(identity, body);
      const isOwn = account !== undefined && identity.account !== undefined && account === identity.name;
      if (!isOwn) authorizer.check(identity, 'admin', SERVER);
      const { name, scopes, expiresInDays } = body;
      const wanted = expiresInDays === undefined ? undefined : now().getTime() + expiresInDays * DAY_MS;
      const ends = isOwn ? latestEnd(state, identity, wanted) : wanted;
      const expiry = ends === undefined ? {} : { expiresAt: new Date(ends) };
      const limits = scopes === undefined ? {} : { scopes: scopes.map(grantOf) };
      const whose = account === undefined ? {} : { account };
      const token = await accounts.addToken({ name, ...whose, ...limits, ...expiry }, identity.name);
      const details = { id: token.id, name, account: token.account, expiresAt: token.expiresAt };
      accessLog.record({ kind: 'token-created', actor: identity.name, origin: originOf(request), details });
      return reply.status(201).header('cache-control', 'no-store').send(token);
    },
  );
}

/** A token makes others of its account that last no longer than it does; one that is limited makes none. */
function latestEnd(state: AccessState, { subject = '' }: Identity, wanted: number | undefined): number | undefined {
  const maker = subject.startsWith('token:') ? state.token(subject.slice('token:'.length)) : undefined;
  if (maker === undefined) return wanted;
  if (maker.scopes !== undefined)
    throw new IngotError('forbidden', 'a token that is limited makes no other tokens', { hint: 'ingot login URL' });
  const ends = Math.min(maker.expiresAt, wanted ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(ends) ? ends : undefined;
}

function ownerOf(identity: Identity, { account, service }: z.output<typeof Draft>): string | undefined {
  if (service && account !== undefined)
    throw new IngotError('invalid-request', 'a token is a service’s or an account’s, not both');
  if (service) return undefined;
  if (account !== undefined) return account;
  if (identity.account !== undefined) return identity.name;
  throw new IngotError('invalid-request', 'say whose the token is', {
    hint: 'ingot token create NAME --service --role pusher   (or --account NAME)',
  });
}

function revoking(app: NativeApp, { accounts, authorizer }: Access, { accessLog }: Audit): void {
  app.delete(
    '/tokens/:id',
    {
      config: { access: { handler: 'checks' } },
      schema: {
        operationId: 'revokeToken',
        tags: ['access'],
        summary: 'Ends a token, on every server within seconds.',
        params: z.object({ id: z.string().min(1).max(40) }),
        response: { 200: TokenRecord, ...WRITE_PROBLEMS },
      },
    },
    async (request) => {
      const { identity, params } = request;
      const isAdmin = authorizer.may(identity, 'admin', SERVER);
      const isItself = identity.subject === `token:${params.id}`;
      if (!isAdmin && !isItself && identity.account === undefined) authorizer.check(identity, 'admin', SERVER);
      const whose = isAdmin || isItself ? undefined : identity.name;
      const token = await accounts.revokeToken(params.id, whose);
      const details = { id: token.id, name: token.name, account: token.account };
      accessLog.record({ kind: 'token-revoked', actor: identity.name, origin: originOf(request), details });
      return token;
    },
  );
}
