import { IngotError } from '@ingot/core/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Access } from '../../access/access.ts';
import type { OidcSignIn } from '../../access/oidc.ts';
import { cookieOf, csrfOf, SESSION_COOKIE } from '../../access/sessions.ts';
import type { Audit } from '../../audit/audit.ts';
import { originOf } from '../gate.ts';
import { AccountName, NewTokenRecord, Password, WhoRecord } from './access-schemas.ts';
import type { NativeApp, NativeRoutes } from './native-api.ts';
import { problems, WRITE_PROBLEMS } from './problems.ts';

const NOTHING = z.undefined().describe('Done.');
const Begun = z.object({ name: z.string(), csrf: z.string(), expiresAt: z.string() });
const BINDING_COOKIE = 'ingot_sign_in';
const TOKEN_DAYS = 90;
const DAY_MS = 86_400_000;

/** Routes of signing in and out: `/sessions…`. */
export function sessionRoutes(access: Access, audit: Audit): NativeRoutes {
  return (app, { now }) => {
    asking(app, access);
    withPassword(app, access, audit);
    ending(app, access, audit);
    inBrowser(app, access, audit);
    onCommandLine(app, access, audit, now);
  };
}

function asking(app: NativeApp, access: Access): void {
  app.get(
    '/sessions/methods',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'signInMethods',
        tags: ['access'],
        summary: 'Says how people sign in here.',
        response: { 200: z.object({ open: z.boolean(), password: z.boolean(), oidc: z.boolean() }), ...problems() },
      },
    },
    async () => ({ open: access.isOpen(), password: access.state.isClosed, oidc: access.oidc !== undefined }),
  );
  app.get(
    '/sessions/current',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'whoAmI',
        tags: ['access'],
        summary: 'Says who you are here; to a browser also what its changes need.',
        response: { 200: WhoRecord.extend({ csrf: z.string().optional() }), ...problems() },
      },
    },
    async ({ identity: { name, kind, authenticated }, headers }) => {
      const secret =
        kind === 'user' && headers.authorization === undefined ? cookieOf(headers.cookie, SESSION_COOKIE) : undefined;
      return { name, kind, authenticated, ...(secret === undefined ? {} : { csrf: csrfOf(secret) }) };
    },
  );
}

function withPassword(app: NativeApp, access: Access, _audit: Audit): void {
  app.post(
    '/sessions',
    {
      config: { access: 'public', idempotency: false },
      bodyLimit: 8192,
      schema: {
        operationId: 'signIn',
        tags: ['access'],
        summary: 'Signs a browser in: a cookie that no script reads, and a text that its changes must carry.',
        body: z.strictObject({ name: AccountName, password: Password }),
        response: { 201: Begun, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { name, password } = request.body;
      const { account = '' } = await access.signIn(name, password, originOf(request));
      return beginSession(access, request, reply, { id: account, name });
    },
  );
}

function ending(app: NativeApp, { sessions }: Access, { accessLog }: Audit): void {
  app.delete(
    '/sessions/current',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'signOut',
        tags: ['access'],
        summary: 'Signs a browser out.',
        response: { 204: NOTHING, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const secret = cookieOf(request.headers.cookie, SESSION_COOKIE);
      if (secret !== undefined) await sessions.end(secret);
      accessLog.record({ kind: 'signed-out', actor: request.identity.name, origin: originOf(request) });
      return reply
        .status(204)
        .header('set-cookie', cookie(request, SESSION_COOKIE, '', 0))
        .send();
    },
  );
}

function inBrowser(app: NativeApp, access: Access, { accessLog }: Audit): void {
  app.get(
    '/sessions/oidc',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'beginSignIn',
        tags: ['access'],
        summary: 'Sends a browser to the identity provider.',
        querystring: z.object({ return_to: z.string().max(2000).default('/') }),
        response: { 302: NOTHING, ...problems(404) },
      },
    },
    async (request, reply) => {
      const { location, binding } = await oidcOf(access).begin(request.query.return_to);
      // The provider leads the browser back here from another site, which a strict cookie would not survive.
      reply.header('set-cookie', cookie(request, BINDING_COOKIE, binding, 600, 'Lax'));
      return reply.redirect(location, 302);
    },
  );
  app.get(
    '/sessions/oidc/callback',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'endSignIn',
        tags: ['access'],
        summary: 'Where a browser comes back to from the identity provider.',
        response: { 302: NOTHING, ...problems(404) },
      },
    },
    async (request, reply) => {
      const query = new URL(request.url, 'http://localhost').searchParams;
      const binding = cookieOf(request.headers.cookie, BINDING_COOKIE) ?? '';
      const { account, returnTo } = await oidcOf(access).complete(query, binding);
      const known = access.state.accountNamed(account);
      if (known === undefined || known.isDisabled) throw new IngotError('unauthenticated', 'this account is closed');
      accessLog.record({ kind: 'signed-in', actor: account, origin: originOf(request), details: { with: 'oidc' } });
      const { secret } = await access.sessions.begin(known.id);
      return reply
        .header('set-cookie', [cookie(request, SESSION_COOKIE, secret), cookie(request, BINDING_COOKIE, '', 0, 'Lax')])
        .header('cache-control', 'no-store')
        .redirect(returnTo, 302);
    },
  );
}

function onCommandLine(app: NativeApp, access: Access, { accessLog }: Audit, now: () => Date): void {
  const Started = z.object({
    handle: z.string(),
    userCode: z.string(),
    verificationUri: z.string(),
    verificationUriComplete: z.string().optional(),
    expiresInSeconds: z.number(),
    intervalSeconds: z.number(),
  });
  app.post(
    '/sessions/device',
    {
      config: { access: 'public', idempotency: false },
      schema: {
        operationId: 'beginDeviceSignIn',
        tags: ['access'],
        summary: 'Begins to sign in on a command line: a code that is typed in any browser.',
        response: { 201: Started, ...WRITE_PROBLEMS },
      },
    },
    async (_request, reply) => reply.status(201).send(await oidcOf(access).beginDevice()),
  );
  app.post(
    '/sessions/device/token',
    {
      config: { access: 'public', idempotency: false },
      bodyLimit: 8192,
      schema: {
        operationId: 'endDeviceSignIn',
        tags: ['access'],
        summary: 'Gives a token to whoever has typed the code; 202: nobody has yet.',
        body: z.strictObject({ handle: z.string().min(1).max(200), name: z.string().min(1).max(100) }),
        response: { 201: NewTokenRecord, 202: z.object({ pending: z.literal(true) }), ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { handle, name } = request.body;
      const account = await oidcOf(access).completeDevice(handle);
      if (account === undefined) return reply.status(202).send({ pending: true as const });
      const expiresAt = new Date(now().getTime() + TOKEN_DAYS * DAY_MS);
      const token = await access.accounts.addToken({ name, account, expiresAt }, account);
      const origin = originOf(request);
      accessLog.record({ kind: 'signed-in', actor: account, origin, details: { with: 'device', token: token.id } });
      return reply.status(201).header('cache-control', 'no-store').send(token);
    },
  );
}

async function beginSession(
  { sessions }: Access,
  request: FastifyRequest,
  reply: FastifyReply,
  { id, name }: { readonly id: string; readonly name: string },
): Promise<FastifyReply> {
  const { secret, csrf, expiresAt } = await sessions.begin(id);
  reply.header('set-cookie', cookie(request, SESSION_COOKIE, secret)).header('cache-control', 'no-store');
  return reply.status(201).send({ name, csrf, expiresAt: expiresAt.toISOString() });
}

function oidcOf({ oidc }: Access): OidcSignIn {
  if (oidc !== undefined) return oidc;
  throw new IngotError('not-found', 'nobody signs in through an identity provider here', {
    hint: 'ingot login URL --name NAME',
  });
}

function cookie(request: FastifyRequest, name: string, value: string, maxAge = 43_200, site = 'Strict'): string {
  const secure = request.protocol === 'https' ? '; Secure' : '';
  return `${name}=${value}; Path=/; HttpOnly; SameSite=${site}; Max-Age=${maxAge}${secure}`;
}
