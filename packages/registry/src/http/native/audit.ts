import { IngotError } from '@ingot/core/errors';
import type { JsonValue } from '@ingot/core/json';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Target } from '../../access/identity.ts';
import type { Audit } from '../../audit/audit.ts';
import { collectEvidence } from '../../audit/evidence.ts';
import { verifyStore } from '../../audit/verify-store.ts';
import type { Services } from '../../services.ts';
import { originOf } from '../gate.ts';
import type { NativeApp, NativeRoutes } from './native-api.ts';
import { PageQuery, pageFrom, pageOf, textCursor } from './paging.ts';
import { problems, READ_PROBLEMS, WRITE_PROBLEMS } from './problems.ts';
import { AliasText, Moment, ModelNameText } from './schemas.ts';

const administers = { access: { can: 'admin' } } as const;
const Signed = z.object({ payload: z.string(), signature: z.string(), key: z.string() });
const Kept = Signed.extend({ number: z.number().int(), at: Moment });
const Time = z.iso.datetime().or(z.iso.date());

/** Routes of the audit: `/audit…`. */
export function auditRoutes(audit: Audit): NativeRoutes {
  return (app, services) => {
    door(app, services, audit);
    checkpoints(app, audit);
    verifying(app, services, audit);
    exporting(app, services, audit);
    flagged(app, services, audit);
  };
}

function door(app: NativeApp, { database }: Services, { accessLog }: Audit): void {
  const Entry = z.object({ chain: z.string(), seq: z.number().int(), at: Moment, kind: z.string(), actor: z.string() });
  app.get(
    '/audit/events',
    {
      config: administers,
      schema: {
        operationId: 'listAccessEvents',
        tags: ['audit'],
        summary: 'Lists what happened at the server’s door, newest first: sign-ins, denials, grants.',
        querystring: PageQuery.extend({
          from: Time.optional(),
          to: Time.optional(),
          kind: z.string().max(50).optional(),
        }),
        response: { 200: pageOf(Entry.loose()), ...problems() },
      },
    },
    async ({ query: { limit, cursor, from, to, kind } }) => {
      await accessLog.flush();
      const after = textCursor('access', cursor)?.split(' ');
      let rows = database.own.selectFrom('access_events').select(['at', 'chain', 'seq', 'event']);
      if (kind !== undefined) rows = rows.where('kind', '=', kind);
      if (from !== undefined) rows = rows.where('at', '>=', from);
      if (to !== undefined) rows = rows.where('at', '<', to);
      if (after !== undefined) {
        const [at = '', chain = '', seq = '0'] = after;
        rows = rows.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('at', 'chain', 'seq'), '<', tuple(at, chain, Number(seq))),
        );
      }
      const found = await rows
        .orderBy('at', 'desc')
        .orderBy('chain', 'desc')
        .orderBy('seq', 'desc')
        .limit(limit + 1)
        .execute();
      const page = pageFrom(found, limit, { kind: 'access', keyOf: ({ at, chain, seq }) => `${at} ${chain} ${seq}` });
      return { ...page, items: page.items.map(({ event }) => Entry.loose().parse(JSON.parse(event))) };
    },
  );
}

function checkpoints(app: NativeApp, { notary }: Audit): void {
  app.get(
    '/audit/key',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'getAuditKey',
        tags: ['audit'],
        summary: 'Gives the public key that checkpoints and evidence are signed with.',
        response: { 200: z.object({ id: z.string(), publicKey: z.string() }), ...problems() },
      },
    },
    async () => notary.publicKey(),
  );
  app.get(
    '/audit/checkpoints',
    {
      config: administers,
      schema: {
        operationId: 'listCheckpoints',
        tags: ['audit'],
        summary: 'Gives signed checkpoints, oldest first: keep them elsewhere, and check the store against them.',
        querystring: z.object({ from: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).default(1) }),
        response: {
          200: z.object({ keys: z.record(z.string(), z.string()), checkpoints: z.array(Kept) }),
          ...problems(),
        },
      },
    },
    async ({ query }) => ({
      keys: await notary.publicKeys(),
      checkpoints: await notary.checkpoints(query.from),
    }),
  );
  app.post(
    '/audit/checkpoints',
    {
      config: administers,
      schema: {
        operationId: 'makeCheckpoint',
        tags: ['audit'],
        summary: 'Signs what has grown; null: nothing has.',
        response: { 200: z.object({ checkpoint: Kept.nullable() }), ...WRITE_PROBLEMS },
      },
    },
    async () => ({ checkpoint: (await notary.checkpoint()) ?? null }),
  );
}

function verifying(app: NativeApp, { store }: Services, { notary }: Audit): void {
  const Finding = z.object({ where: z.string(), what: z.string() });
  const Verified = z.object({
    logs: z.number().int(),
    events: z.number().int(),
    checkpoints: z.number().int(),
    findings: z.array(Finding),
  });
  app.post(
    '/audit/verify',
    {
      config: { ...administers, idempotency: false },
      schema: {
        operationId: 'verifyHistory',
        tags: ['audit'],
        summary: 'Reads every event of the store and checks it against the chains and the checkpoints.',
        response: { 200: Verified, ...WRITE_PROBLEMS },
      },
    },
    async () => {
      const file = { keys: await notary.publicKeys(), checkpoints: await notary.checkpoints(1, 1_000_000) };
      const { id } = await store.format.open();
      const { findings, ...counts } = await verifyStore(store.blobs, { file, store: id });
      return { ...counts, findings: [...findings] };
    },
  );
}

function exporting(app: NativeApp, services: Services, audit: Audit): void {
  const { store, database, now } = services;
  app.get(
    '/audit/export',
    {
      config: { access: { can: 'admin', on: namedModel } },
      schema: {
        operationId: 'exportEvidence',
        tags: ['audit'],
        summary: 'Gives one signed file with everything about a model in a period.',
        querystring: z.object({ model: ModelNameText, from: Time.optional(), to: Time.optional() }),
        response: { 200: z.object({}).loose(), ...READ_PROBLEMS },
      },
    },
    async (request) => {
      const { model, from, to } = request.query;
      const period = { from: moment(from, '1970-01-01T00:00:00.000Z'), to: moment(to, now().toISOString()) };
      const { id } = await store.format.open();
      const actor = request.identity.name;
      const name = parseModelName(model);
      const sources = { blobs: store.blobs, database, audit, store: id, now };
      const file = await collectEvidence(sources, name, period, actor);
      audit.accessLog.record({ kind: 'exported', actor, model, origin: originOf(request), details: { ...period } });
      return file;
    },
  );
}

function moment(text: string | undefined, otherwise: string): string {
  return text === undefined ? otherwise : new Date(text).toISOString();
}

function namedModel({ query }: FastifyRequest): Target {
  const model: unknown = typeof query === 'object' && query !== null ? Reflect.get(query, 'model') : undefined;
  if (typeof model !== 'string') throw new IngotError('invalid-request', 'say which model: ?model=NAME');
  return { kind: 'model', model: parseModelName(model) };
}

function flagged(app: NativeApp, { database }: Services, { protectedMoves, accessLog }: Audit): void {
  const Move = z.object({
    model: ModelNameText.nullable().describe('Its name now; null: there is none.'),
    modelId: z.string(),
    alias: z.string(),
    seq: z.number().int(),
    digest: z.string(),
    actor: z.string(),
    at: Moment,
    from: z.number().int().nullable(),
    to: z.number().int().nullable(),
  });
  app.get(
    '/audit/flagged',
    {
      config: administers,
      schema: {
        operationId: 'listFlaggedMoves',
        tags: ['audit'],
        summary: 'Lists moves of protected aliases that were made past the server, and are not followed.',
        response: { 200: z.object({ items: z.array(Move) }), ...problems() },
      },
    },
    async () => ({
      items: (await namedMoves(database, await protectedMoves.flagged())).map(({ model, ...row }) => ({
        model,
        modelId: row.model_id,
        alias: row.alias,
        seq: row.seq,
        digest: row.digest,
        actor: row.actor,
        at: row.at,
        from: row.from_number,
        to: row.to_number,
      })),
    }),
  );
  app.post(
    '/audit/flagged/accept',
    {
      config: administers,
      schema: {
        operationId: 'acceptFlaggedMove',
        tags: ['audit'],
        summary: 'Says that what a protected alias names by the log counts after all.',
        body: z.strictObject({ model: ModelNameText, alias: AliasText }),
        response: { 204: z.undefined().describe('Done.'), ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { model, alias } = request.body;
      const row = await database.index.selectFrom('models').select('id').where('name', '=', model).executeTakeFirst();
      if (row === undefined) throw new IngotError('model-not-found', `there is no model "${model}"`);
      await protectedMoves.accept(row.id, alias);
      const details: Record<string, JsonValue> = { alias, accepted: true };
      accessLog.record({ kind: 'granted', actor: request.identity.name, model, origin: originOf(request), details });
      return reply.status(204).send();
    },
  );
}

async function namedMoves<T extends { readonly model_id: string }>(
  { index }: Services['database'],
  moves: readonly T[],
): Promise<readonly (T & { readonly model: ModelName | null })[]> {
  const ids = [...new Set(moves.map((move) => move.model_id))];
  if (ids.length === 0) return [];
  const rows = await index.selectFrom('models').select(['id', 'name']).where('id', 'in', ids).execute();
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  return moves.map((move) => {
    const name = names.get(move.model_id);
    return { ...move, model: name == null ? null : parseModelName(name) };
  });
}
