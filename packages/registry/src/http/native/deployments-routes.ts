import { IngotError, isIngotError } from '@ingot/core/errors';
import { parseJson } from '@ingot/core/json';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Deployments, GONE_MS } from '../../deployments/deployments.ts';
import { listDeployments } from '../../deployments/list-deployments.ts';
import { readableModels } from '../../search/readable-models.ts';
import { parseSpan } from '../../search/times.ts';
import type { Services } from '../../services.ts';
import type { NativeApp, NativeRoutes } from './native-api.ts';
import { cursorOf, pageOf, PageQuery, textCursor } from './paging.ts';
import { problems, WRITE_PROBLEMS } from './problems.ts';
import { ModelNameText, Moment } from './schemas.ts';

const Time = z.iso.datetime({ offset: true }).max(40);
const Text = z.string().max(500);

const Report = z
  .strictObject({
    server: z.strictObject({
      id: z.string().min(8).max(100).describe('One for each start of a server; made by it, of chance.'),
      host: Text.describe('Name of its machine.'),
      address: Text.describe('Where it answers.'),
      release: z.string().max(100),
      startedAt: Time,
    }),
    versions: z
      .array(
        z.strictObject({
          model: ModelNameText,
          number: z.number().int().min(1),
          manifest: z.string().max(200),
          since: Time.describe('When it began to answer with it.'),
          until: Time.optional().describe('When it ceased to; absent while it answers.'),
          sources: z.array(z.string().max(1000)).max(100).optional(),
        }),
      )
      .max(1000)
      .describe('All that it answers with, and what ended since the last report that arrived.'),
    isLast: z.boolean().optional().describe('The server is ending, and all of it with it.'),
  })
  .meta({ id: 'DeploymentReport' });

const Deployment = z
  .object({
    model: z.string(),
    modelId: z.string(),
    number: z.number().int().min(1),
    manifest: z.string(),
    sources: z.array(z.string()).readonly().describe('What named it: `churn@production`.'),
    server: z.object({
      id: z.string(),
      host: z.string(),
      address: z.string(),
      release: z.string(),
      startedAt: Moment,
      lastSeen: Moment,
      reportedBy: z.string(),
    }),
    since: Moment,
    until: Moment.optional().describe('When it ended, or the server was last heard of; absent while it answers.'),
    isLive: z.boolean(),
  })
  .meta({ id: 'Deployment' });

const When = z.string().min(1).max(60);
const Query = PageQuery.extend({
  model: ModelNameText.optional(),
  version: z.coerce.number().int().min(1).optional().describe('Only this version of `model`.'),
  at: When.optional().describe('Only what answered at this time: `2026-05-14`, `2026-05-14T10:00:00Z`, `-7d`.'),
  from: When.optional().describe('Only what answered at this time or later.'),
  to: When.optional().describe('Only what began to answer before the end of this time.'),
  live: z.enum(['true', 'false']).optional().describe('Only what answers now, or only what does not.'),
});

/** `POST /deployments/reports`, `GET /deployments`: what runs where. */
export function deploymentRoutes(deployments: Deployments): NativeRoutes {
  return (app, services) => {
    reporting(app, services, deployments);
    listing(app, services);
  };
}

function reporting(app: NativeApp, { authorizer }: Services, deployments: Deployments): void {
  app.post(
    '/deployments/reports',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'reportDeployment',
        tags: ['deployments'],
        summary: 'Says what a model server answers with: at its start, when it changes, and once a minute.',
        body: Report,
        response: {
          200: z.object({
            noted: z.number().int(),
            ignored: z.array(z.string()).readonly().describe('Versions that this registry does not have.'),
          }),
          ...WRITE_PROBLEMS,
        },
      },
    },
    async ({ identity, body }) => {
      const mayRead = (text: string): boolean => {
        const model = nameOf(text);
        return model !== undefined && authorizer.may(identity, 'read', { kind: 'model', model });
      };
      return deployments.report(body, { reporter: identity.name, mayRead });
    },
  );
}

function nameOf(text: string): ModelName | undefined {
  try {
    return parseModelName(text);
  } catch (error) {
    // A server may serve files whose names no model can have.
    if (isIngotError(error, 'invalid-name')) return undefined;
    throw error;
  }
}

function listing(app: NativeApp, services: Services): void {
  app.get(
    '/deployments',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'listDeployments',
        tags: ['deployments'],
        summary: 'Says which servers answer, or have answered, with which versions; the latest first.',
        description: `A server that was not heard of for ${GONE_MS / 60_000} minutes is gone.`,
        querystring: Query,
        response: { 200: pageOf(Deployment), ...problems(404) },
      },
    },
    async ({ identity, query }) => {
      const now = services.now();
      const models =
        query.model === undefined
          ? await readableModels(services, identity)
          : await idsOf(services, identity, query.model);
      const { at, version: number, live, limit } = query;
      const page = await listDeployments(services.database, {
        models,
        number,
        from: timeOf('from', query.from ?? at, now)?.[0],
        to: timeOf('to', query.to ?? at, now)?.[1],
        live: live === undefined ? undefined : live === 'true',
        after: positionOf(query.cursor),
        limit,
        now,
      });
      const { items, next } = page;
      return next === undefined ? { items } : { items, next: cursorOf('deployments', JSON.stringify(next)) };
    },
  );
}

/** Models that have the name now, or had it. */
async function idsOf(
  { authorizer, database }: Services,
  identity: FastifyRequest['identity'],
  text: string,
): Promise<readonly string[]> {
  const model = parseModelName(text);
  authorizer.check(identity, 'read', { kind: 'model', model });
  const current = await database.index.selectFrom('models').select('id').where('name', '=', model).executeTakeFirst();
  if (current !== undefined) return [current.id];
  const had = await database.index.selectFrom('model_names').select('model_id').where('name', '=', model).execute();
  if (had.length > 0) return had.map(({ model_id }) => model_id);
  throw new IngotError('model-not-found', `there is no model "${model}"`, { hint: 'ingot ls', details: { model } });
}

function timeOf(name: string, text: string | undefined, now: Date): readonly [number, number] | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{6,15}$/.test(text) ? { number: Number(text) } : {};
  const span = parseSpan({ text, isQuoted: false, at: 0, ...number }, now);
  if (span !== undefined) return [Date.parse(span.from), Date.parse(span.before)];
  throw new IngotError('usage', `${name} is "${text}"; it takes a time: 2026-05-14, 2026-05-14T10:00:00Z, -7d`);
}

const Position = z.tuple([z.number().int(), z.string().max(200), z.string().max(200), z.number().int()]);

function positionOf(cursor: string | undefined): z.infer<typeof Position> | undefined {
  const text = textCursor('deployments', cursor);
  if (text === undefined) return undefined;
  const read = Position.safeParse(parseJson(text));
  if (read.success && !text.includes('\\u')) return read.data;
  throw new IngotError('invalid-request', 'the cursor is not one of this listing', {
    hint: 'begin without a cursor, and follow `next`',
  });
}
