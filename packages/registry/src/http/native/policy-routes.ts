import { parseModelName } from '@ingot/core/ref';
import { z } from 'zod';
import { Policies } from '../../governance/policy.ts';
import type { Services } from '../../services.ts';
import { originOf } from '../gate.ts';
import { actorOf } from './actor.ts';
import type { NativeApp } from './native-api.ts';
import { problems, WRITE_PROBLEMS } from './problems.ts';
import { ModelNameText } from './schemas.ts';

const Releasable = z.object({
  model: z.string(),
  number: z.number().int(),
  publishedAt: z.string(),
  sizeBytes: z.number(),
  reason: z.string(),
});
const Kept = Releasable.extend({ why: z.string() });
const admins = { access: { can: 'admin' } } as const;

/** Routes of policies: `/policies`, `/retention`. */
export function policyRoutes(app: NativeApp, services: Services): void {
  reading(app, services);
  setting(app, services);
  retaining(app, services);
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

function retaining(app: NativeApp, { governance }: Services): void {
  app.post(
    '/retention',
    {
      config: admins,
      schema: {
        operationId: 'applyRetention',
        tags: ['governance'],
        summary: 'Lets go the versions that no policy keeps; `dryRun` (the default) only says which.',
        description: 'What an alias or a hold names never goes. Contents go with the next collection of the store.',
        body: z.strictObject({ dryRun: z.boolean().default(true), model: ModelNameText.optional() }),
        response: {
          200: z.object({
            planned: z.array(Releasable).readonly(),
            released: z.array(Releasable).readonly(),
            kept: z.array(Kept).readonly(),
          }),
          ...WRITE_PROBLEMS,
        },
      },
    },
    async (request) => {
      const { dryRun, model } = request.body;
      const name = model === undefined ? undefined : parseModelName(model);
      return governance.retain({ dryRun, model: name, actor: actorOf(request) });
    },
  );
}
