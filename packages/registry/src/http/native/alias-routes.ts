import { IngotError } from '@ingot/core/errors';
import { type ModelName, parseAlias, parseModelName } from '@ingot/core/ref';
import type { AliasMove as Move } from '@ingot/core/registry/registry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import { actorOf } from './actor.ts';
import { expectedSeqOf } from './condition.ts';
import { etagOf, requireMatch } from './conditional.ts';
import { modelSummary } from './listing.ts';
import { saySeq } from './model-seq.ts';
import type { NativeApp } from './native-api.ts';
import { READ_PROBLEMS, WRITE_PROBLEMS } from './problems.ts';
import { aliasTarget, modelTarget } from './request-model.ts';
import { AliasMove, AliasRecord, AliasText, ModelNameText, Reason } from './schemas.ts';

const Named = z.object({ name: ModelNameText });
const OneAlias = z.object({ name: ModelNameText, alias: AliasText });
const VersionNumber = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const Target = z.strictObject({
  number: VersionNumber.describe('The version that it shall name.'),
  expected: VersionNumber.nullable().optional().describe('What it must name now (null: nothing), else `conflict`.'),
  reason: Reason.optional(),
});
/** A query has no null of its own: it is spelled out. Fifteen digits are exact as a number. */
const ExpectedText = z
  .string()
  .regex(/^(null|[0-9]{1,15})$/, 'give the number of a version, or null for none')
  .describe('What it must name now (null: nothing), else `conflict`.');
const moves = { access: { can: 'promote', on: aliasTarget } } as const;
const reads = { access: { can: 'read', on: modelTarget } } as const;
const readsKept = { ...reads, keeps: true } as const;

/** Routes of aliases: `/models/{name}/aliases…`. */
export function aliasRoutes(app: NativeApp, services: Services): void {
  reading(app, services);
  setting(app, services);
  removing(app, services);
}

function reading(app: NativeApp, services: Services): void {
  const { registry } = services;
  app.get(
    '/models/:name/aliases',
    {
      config: readsKept,
      schema: {
        operationId: 'listAliases',
        tags: ['aliases'],
        summary: 'Says which version each alias of a model names.',
        params: Named,
        response: { 200: z.object({ aliases: z.record(z.string(), z.number().int()) }), ...READ_PROBLEMS },
      },
    },
    async ({ params }) => ({ aliases: (await modelSummary(services, parseModelName(params.name))).summary.aliases }),
  );
  app.get(
    '/models/:name/aliases/:alias',
    {
      config: readsKept,
      schema: {
        operationId: 'getAlias',
        tags: ['aliases'],
        summary: 'Says which version an alias names.',
        params: OneAlias,
        response: { 200: AliasRecord, ...READ_PROBLEMS },
      },
    },
    async ({ params }, reply) => {
      const { seq, ...alias } = await aliasRecord(services, parseModelName(params.name), parseAlias(params.alias));
      saySeq(reply, seq);
      return alias;
    },
  );
  app.get(
    '/models/:name/aliases/:alias/previous',
    {
      config: reads,
      schema: {
        operationId: 'getPreviousAliasTarget',
        tags: ['aliases'],
        summary: 'Says which version an alias named before; null: none that is still active.',
        params: OneAlias,
        response: { 200: z.object({ number: z.number().int().nullable() }), ...READ_PROBLEMS },
      },
    },
    async ({ params }) => {
      const name = parseModelName(params.name);
      return { number: (await registry.previousAliasTarget(name, params.alias)) ?? null };
    },
  );
}

function setting(app: NativeApp, services: Services): void {
  app.put(
    '/models/:name/aliases/:alias',
    {
      config: moves,
      schema: {
        operationId: 'setAlias',
        tags: ['aliases'],
        summary: 'Points an alias at a version.',
        description:
          'Only from where it is: `expected`, or `If-Match` with the ETag of the alias, or `If-None-Match: *` for one that is not there.',
        params: OneAlias,
        body: Target,
        response: { 200: AliasMove, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { number, reason } = request.body;
      const name = parseModelName(request.params.name);
      const expected = await expectedOf(request, services, request.body.expected);
      const options = { actor: actorOf(request), reason, ...expected, ...expectedSeqOf(request) };
      const move = await asCondition(request, services.registry.setAlias(name, request.params.alias, number, options));
      return moved(services, reply, name, move);
    },
  );
}

function removing(app: NativeApp, services: Services): void {
  app.delete(
    '/models/:name/aliases/:alias',
    {
      config: moves,
      schema: {
        operationId: 'removeAlias',
        tags: ['aliases'],
        summary: 'Removes an alias.',
        params: OneAlias,
        querystring: z.object({
          expected: ExpectedText.optional(),
          reason: Reason.optional(),
        }),
        response: { 200: AliasMove, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { reason } = request.query;
      const name = parseModelName(request.params.name);
      const expected = await expectedOf(request, services, numberIn(request.query.expected));
      const options = { actor: actorOf(request), reason, ...expected, ...expectedSeqOf(request) };
      const move = await asCondition(request, services.registry.removeAlias(name, request.params.alias, options));
      return moved(services, reply, name, move);
    },
  );
}

type OfAlias = FastifyRequest<{ Params: { name: string; alias: string } }>;

function numberIn(text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined;
  return text === 'null' ? null : Number(text);
}

async function aliasRecord({ registry }: Services, name: ModelName, alias: string) {
  const { model, number, manifest, seq } = await registry.resolve({ name, selector: { kind: 'alias', alias } });
  return { alias, number, model, manifest, seq };
}

/** What the alias must name now, by the body or by the request's conditions. */
async function expectedOf(
  request: OfAlias,
  services: Services,
  given: number | null | undefined,
): Promise<{ readonly expected?: number | null }> {
  if (request.headers['if-none-match'] === '*') return { expected: null };
  if (request.headers['if-match'] === undefined) return given === undefined ? {} : { expected: given };
  const name = parseModelName(request.params.name);
  let number = 0;
  await requireMatch(request, async () => {
    const { seq: _, ...current } = await aliasRecord(services, name, parseAlias(request.params.alias));
    number = current.number;
    return current;
  });
  return { expected: number };
}

/** A move that lost against another is, for who gave a condition by headers, a condition that failed. */
async function asCondition(request: OfAlias, move: Promise<Move>): Promise<Move> {
  const { 'if-match': match, 'if-none-match': noneMatch } = request.headers;
  if (match === undefined && noneMatch === undefined) return move;
  return move.catch((error: unknown) => {
    if (!(error instanceof IngotError) || error.code !== 'conflict') throw error;
    const { message, hint, details } = error;
    throw new IngotError('precondition-failed', message, { details, cause: error, ...(hint && { hint }) });
  });
}

/** Answers a move with the ETag that the alias has now. */
async function moved(services: Services, reply: FastifyReply, name: ModelName, move: Move): Promise<Move> {
  if (move.to === null) return move;
  const { seq, ...alias } = await aliasRecord(services, name, move.alias);
  saySeq(reply, seq);
  if (alias.number === move.to) reply.header('etag', etagOf(JSON.stringify(alias)));
  return move;
}
