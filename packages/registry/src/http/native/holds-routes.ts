import { parseModelName } from '@ingot/core/ref';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import { actorOf } from './actor.ts';
import { expectedSeqOf } from './condition.ts';
import { sayIndexedSeq } from './model-seq.ts';
import type { NativeApp } from './native-api.ts';
import { READ_PROBLEMS, WRITE_PROBLEMS } from './problems.ts';
import { modelTarget } from './request-model.ts';
import { ModelNameText, Moment, Reason } from './schemas.ts';

const OneHold = z.object({ name: ModelNameText, hold: z.string().max(200).describe('`case-2026-17`') });
const HoldRecord = z.object({
  hold: z.string(),
  number: z.number().int().nullable().describe('The version that it holds; null: the whole model.'),
  by: z.string(),
  at: Moment,
  reason: z.string().optional(),
});
const Done = z.undefined().describe('Done.');
const admins = { access: { can: 'admin', on: modelTarget } } as const;

/** Routes of holds: what forbids deletion, retention and erasure. */
export function holdRoutes(app: NativeApp, services: Services): void {
  listing(app, services);
  setting(app, services);
  releasing(app, services);
}

function listing(app: NativeApp, { governance }: Services): void {
  app.get(
    '/models/:name/holds',
    {
      config: { access: { can: 'read', on: modelTarget } },
      schema: {
        operationId: 'listHolds',
        tags: ['governance'],
        summary: 'Lists the holds that a model is under now.',
        params: z.object({ name: ModelNameText }),
        response: { 200: z.object({ items: z.array(HoldRecord).readonly() }), ...READ_PROBLEMS },
      },
    },
    async ({ params }) => ({ items: (await governance.holds(parseModelName(params.name))).holds }),
  );
}

function setting(app: NativeApp, services: Services): void {
  app.put(
    '/models/:name/holds/:hold',
    {
      config: admins,
      schema: {
        operationId: 'setHold',
        tags: ['governance'],
        summary: 'Forbids deletion of a model, or of one version of it.',
        params: OneHold,
        body: z.strictObject({ number: z.number().int().min(1).nullable().default(null), reason: Reason.optional() }),
        response: { 204: Done, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const name = parseModelName(params.name);
      const options = { actor: actorOf(request), ...expectedSeqOf(request), ...reasonOf(body.reason) };
      await services.registry.setHold(name, { hold: params.hold, number: body.number }, options);
      await sayIndexedSeq(reply, services, name);
      return reply.status(204).send();
    },
  );
}

function releasing(app: NativeApp, services: Services): void {
  app.delete(
    '/models/:name/holds/:hold',
    {
      config: admins,
      schema: {
        operationId: 'releaseHold',
        tags: ['governance'],
        summary: 'Ends a hold.',
        params: OneHold,
        querystring: z.object({ reason: Reason.optional() }),
        response: { 204: Done, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { params, query } = request;
      const name = parseModelName(params.name);
      const options = { actor: actorOf(request), ...expectedSeqOf(request), ...reasonOf(query.reason) };
      await services.registry.releaseHold(name, params.hold, options);
      await sayIndexedSeq(reply, services, name);
      return reply.status(204).send();
    },
  );
}

function reasonOf(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}
