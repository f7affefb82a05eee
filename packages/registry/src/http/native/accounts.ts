import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Access } from '../../access/access.ts';
import type { Audit } from '../../audit/audit.ts';
import { originOf } from '../gate.ts';
import { AccountName, AccountRecord, GrantBody, grantOf, Password } from './access-schemas.ts';
import type { NativeApp, NativeRoutes } from './native-api.ts';
import { problems, WRITE_PROBLEMS } from './problems.ts';

const administers = { access: { can: 'admin' } } as const;
const Named = z.object({ account: AccountName });
const NOTHING = z.undefined().describe('Done.');

/** Routes of accounts: `/accounts…`. */
export function accountRoutes(access: Access, audit: Audit): NativeRoutes {
  return (app) => {
    listing(app, access);
    changing(app, access, audit);
  };
}

function listing(app: NativeApp, { accounts }: Access): void {
  app.get(
    '/accounts',
    {
      config: administers,
      schema: {
        operationId: 'listAccounts',
        tags: ['access'],
        summary: 'Lists accounts and what they may do.',
        response: { 200: z.object({ items: z.array(AccountRecord) }), ...problems() },
      },
    },
    async () => ({ items: await accounts.list() }),
  );
}

function changing(app: NativeApp, access: Access, { accessLog }: Audit): void {
  const { accounts, sessions } = access;
  app.post(
    '/accounts',
    {
      config: administers,
      schema: {
        operationId: 'addAccount',
        tags: ['access'],
        summary: 'Makes an account. The first one administers the server, which lets in nobody else from then on.',
        body: z.strictObject({
          name: AccountName,
          password: Password,
          grants: z.array(GrantBody).max(100).default([]),
        }),
        response: { 201: AccountRecord, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { name, password, grants } = request.body;
      const actor = request.identity.name;
      const account = await accounts.add({ name, password, grants: grants.map(grantOf) }, actor);
      const details = { account: name, grants: account.grants.map(({ role, scope }) => `${role} ${scope}`) };
      accessLog.record({ kind: 'account-added', actor, origin: originOf(request), details });
      return reply.status(201).send(account);
    },
  );
  app.delete(
    '/accounts/:account',
    {
      config: administers,
      schema: {
        operationId: 'removeAccount',
        tags: ['access'],
        summary: 'Removes an account with its grants, tokens and sessions.',
        params: Named,
        response: { 204: NOTHING, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { account } = request.params;
      await accounts.remove(account);
      sessions.forget();
      const actor = request.identity.name;
      accessLog.record({ kind: 'account-removed', actor, origin: originOf(request), details: { account } });
      return reply.status(204).send();
    },
  );
  app.put(
    '/accounts/:account/password',
    {
      config: { access: { handler: 'checks' }, idempotency: false },
      schema: {
        operationId: 'setPassword',
        tags: ['access'],
        summary: 'Gives an account another password and ends its sessions; one’s own, or anybody’s for an admin.',
        params: Named,
        body: z.strictObject({ password: Password, current: Password.optional().describe('Needed for one’s own.') }),
        response: { 204: NOTHING, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { account } = request.params;
      const { password, current } = request.body;
      await mayChange(access, request, account, current);
      await accounts.setPassword(account, password);
      sessions.forget();
      const actor = request.identity.name;
      accessLog.record({ kind: 'password-changed', actor, origin: originOf(request), details: { account } });
      return reply.status(204).send();
    },
  );
}

/** One's own password is changed by whoever knows it, also with somebody's cookie or token; others' by an admin. */
async function mayChange(
  { authorizer, signIn }: Access,
  request: FastifyRequest,
  account: string,
  current: string | undefined,
): Promise<void> {
  const { identity } = request;
  if (identity.account !== undefined && identity.name === account && current !== undefined)
    await signIn(account, current, originOf(request));
  else authorizer.check(identity, 'admin', { kind: 'server' });
}
