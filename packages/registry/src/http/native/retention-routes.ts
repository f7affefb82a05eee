import { parseModelName } from '@ingot/core/ref';
import { z } from 'zod';
import type { RetentionRun } from '../../governance/retention-runs.ts';
import type { Services } from '../../services.ts';
import { originOf } from '../gate.ts';
import { actorOf } from './actor.ts';
import type { NativeApp } from './native-api.ts';
import { PageQuery, pageFrom, pageOf, textCursor } from './paging.ts';
import { READ_PROBLEMS, WRITE_PROBLEMS } from './problems.ts';
import { ModelNameText, Moment } from './schemas.ts';

const Releasable = z.object({
  model: z.string(),
  number: z.number().int(),
  publishedAt: z.string(),
  sizeBytes: z.number(),
  reason: z.string(),
});
const Kept = Releasable.extend({ why: z.string() });
const Run = z.object({
  id: z.string(),
  beganAt: Moment,
  endedAt: Moment.nullable().describe('Null while it runs, and of a server that ended in its middle.'),
  actor: z.string(),
  scheduled: z.boolean(),
  model: z.string().nullable().describe('Null: all models.'),
  planned: z.number().int(),
  released: z.number().int(),
  kept: z.number().int(),
  releasedBytes: z.number(),
  versions: z
    .array(z.object({ model: z.string(), number: z.number().int(), reason: z.string(), kept: z.string().optional() }))
    .readonly()
    .describe('The first thousand; `kept` says why one stayed.'),
  error: z.string().nullable(),
});
const admins = { access: { can: 'admin' } } as const;

/** Routes of retention: `/retention`. */
export function retentionRoutes(app: NativeApp, services: Services): void {
  applying(app, services);
  listing(app, services);
}

function applying(app: NativeApp, { governance }: Services): void {
  app.post(
    '/retention',
    {
      config: admins,
      schema: {
        operationId: 'applyRetention',
        tags: ['governance'],
        summary: 'Lets go the versions that no policy keeps; `dryRun` (the default) only says which.',
        description:
          'What an alias or a hold names, and what is in a protected stage, never goes. Contents go with the next collection of the store.',
        body: z
          .strictObject({ dryRun: z.boolean().default(true), model: ModelNameText.optional() })
          .default({ dryRun: true }),
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
      return governance.retain({ dryRun, model: name, actor: actorOf(request), origin: originOf(request) });
    },
  );
}

function listing(app: NativeApp, { governance }: Services): void {
  app.get(
    '/retention',
    {
      config: admins,
      schema: {
        operationId: 'listRetentionRuns',
        tags: ['governance'],
        summary: 'Says what runs of retention did, newest first, and when the next one is due.',
        querystring: PageQuery,
        response: {
          200: pageOf(Run).extend({
            nextAt: Moment.nullable().describe('Null: it runs when somebody asks.'),
          }),
          ...READ_PROBLEMS,
        },
      },
    },
    async ({ query: { limit, cursor } }) => {
      const { retentionRuns, retentionSchedule } = governance;
      const runs = await retentionRuns.list({ limit: limit + 1, before: textCursor('retention', cursor) });
      const page = pageFrom(runs.map(runRecord), limit, { kind: 'retention', keyOf: ({ id }) => id });
      const nextAt = await retentionSchedule?.nextAt();
      return { ...page, nextAt: nextAt?.toISOString() ?? null };
    },
  );
}

function runRecord({ isScheduled, ...run }: RetentionRun): z.output<typeof Run> {
  return { ...run, scheduled: isScheduled };
}
