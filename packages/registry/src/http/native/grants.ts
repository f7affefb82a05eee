import { z } from 'zod';
import type { Access } from '../../access/access.ts';
import type { Grant } from '../../access/grants.ts';
import type { Identity } from '../../access/identity.ts';
import { parseModelName } from '@ingot/core/ref';
import type { Audit } from '../../audit/audit.ts';
import { originOf } from '../gate.ts';
import { AccountName, GrantBody, grantOf, GrantRecord } from './access-schemas.ts';
import type { NativeRoutes } from './native-api.ts';
import { WRITE_PROBLEMS } from './problems.ts';

const Change = z.strictObject({ account: AccountName, ...GrantBody.shape });
const Granted = z.object({ account: AccountName, grants: z.array(GrantRecord) });

/** Routes of grants: `/grants`. */
export function grantRoutes({ accounts, authorizer }: Access, { accessLog }: Audit): NativeRoutes {
  /** Whoever administers a model gives roles on it; all else is the server's admin's. */
  const mayGrant = (identity: Identity, { scope }: Grant): void => {
    const isModel = scope !== '*' && !scope.endsWith('/');
    authorizer.check(identity, 'admin', isModel ? { kind: 'model', model: parseModelName(scope) } : { kind: 'server' });
  };
  return (app) => {
    for (const verb of ['granted', 'revoked'] as const)
      app.post(
        verb === 'granted' ? '/grants' : '/grants/revoke',
        {
          config: { access: { handler: 'checks' } },
          schema: {
            operationId: verb === 'granted' ? 'grant' : 'revokeGrant',
            tags: ['access'],
            summary: verb === 'granted' ? 'Gives an account a role.' : 'Takes a role back from an account.',
            body: Change,
            response: { 200: Granted, ...WRITE_PROBLEMS },
          },
        },
        async (request) => {
          const { account, ...body } = request.body;
          const grant = grantOf(body);
          mayGrant(request.identity, grant);
          const actor = request.identity.name;
          const change = verb === 'granted' ? accounts.grant(account, grant, actor) : accounts.revoke(account, grant);
          const grants = await change;
          const details = { account, role: grant.role, scope: grant.scope, aliases: grant.aliases ?? null };
          accessLog.record({ kind: verb, actor, origin: originOf(request), details });
          return { account, grants: [...grants] };
        },
      );
  };
}
