import { Policies } from '../../governance/policy.ts';
import type { Services } from '../../services.ts';
import { originOf } from '../gate.ts';
import { actorOf } from './actor.ts';
import type { NativeApp } from './native-api.ts';
import { problems, WRITE_PROBLEMS } from './problems.ts';

const admins = { access: { can: 'admin' } } as const;

/** Routes of policies: `/policies`. */
export function policyRoutes(app: NativeApp, services: Services): void {
  reading(app, services);
  setting(app, services);
}

function reading(app: NativeApp, { governance }: Services): void {
  app.get(
    '/policies',
    {
      config: admins,
      schema: {
        operationId: 'getPolicies',
        tags: ['governance'],
        summary: 'Says all policies, by scope: `*`, `team/`, or a model.',
        response: { 200: Policies, ...problems() },
      },
    },
    async () => governance.policies.read(),
  );
}

function setting(app: NativeApp, { governance, audit }: Services): void {
  app.put(
    '/policies',
    {
      config: admins,
      schema: {
        operationId: 'setPolicies',
        tags: ['governance'],
        summary: 'Sets all policies, in place of those that there are.',
        body: Policies,
        response: { 200: Policies, ...WRITE_PROBLEMS },
      },
    },
    async (request) => {
      const before = await governance.policies.read();
      const actor = actorOf(request);
      const after = await governance.policies.replace(request.body, actor);
      const details = { before: JSON.stringify(before), after: JSON.stringify(after) };
      audit?.accessLog.record({ kind: 'policy-changed', actor, origin: originOf(request), details });
      return after;
    },
  );
}
