import { parseModelName } from '@ingot/core/ref';
import { z } from 'zod';
import { checkMaking } from '../../access/authorizer.ts';
import type { Services } from '../../services.ts';
import { actorOf } from './actor.ts';
import { conditionOf } from './condition.ts';
import { historyPage, logPage, modelPage, modelSummary } from './listing.ts';
import { sayIndexedSeq, saySeq } from './model-seq.ts';
import type { NativeApp } from './native-api.ts';
import { numberCursor, pageOf, PageQuery, textCursor } from './paging.ts';
import { problems, READ_PROBLEMS, WRITE_PROBLEMS } from './problems.ts';
import { modelTarget } from './request-model.ts';
import { EnsuredModel, HistoryEntry, JsonObjectValue, Model, ModelChanges, ModelNameText, Reason } from './schemas.ts';

const Named = z.object({ name: ModelNameText });
const Why = z.object({ reason: Reason.optional() });
const reads = { access: { can: 'read', on: modelTarget } } as const;
const administers = { access: { can: 'admin', on: modelTarget } } as const;
const NOTHING = z.undefined().describe('Done.');

/** Routes of models: `/models`, `/models/{name}`, its history, renaming. */
export function modelRoutes(app: NativeApp, services: Services): void {
  listing(app, services);
  reading(app, services);
  changing(app, services);
  ending(app, services);
}

function listing(app: NativeApp, services: Services): void {
  const { authorizer, registry } = services;
  app.get(
    '/models',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'listModels',
        tags: ['models'],
        summary: 'Lists the models that have a version, by name.',
        querystring: PageQuery,
        response: { 200: pageOf(Model), ...problems() },
      },
    },
    async ({ identity, query: { limit, cursor } }) =>
      modelPage(services, { limit, after: textCursor('models', cursor) }, (model) =>
        authorizer.may(identity, 'read', { kind: 'model', model }),
      ),
  );
  app.post(
    '/models',
    {
      config: { access: { handler: 'checks' } },
      schema: {
        operationId: 'ensureModel',
        tags: ['models'],
        summary: 'Makes sure that a model exists.',
        body: z.strictObject({ name: ModelNameText }),
        response: { 200: EnsuredModel, 201: EnsuredModel, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const model = parseModelName(request.body.name);
      checkMaking(authorizer, request.identity, model);
      const ensured = await registry.ensureModel(model, { actor: actorOf(request) });
      await sayIndexedSeq(reply, services, model);
      return reply.status(ensured.isNew ? 201 : 200).send(ensured);
    },
  );
}

function reading(app: NativeApp, services: Services): void {
  app.get(
    '/models/:name',
    {
      config: { ...reads, keeps: true },
      schema: {
        operationId: 'getModel',
        tags: ['models'],
        summary: 'Says what is known of a model, without its versions.',
        params: Named,
        response: { 200: Model, ...READ_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { summary, seq } = await modelSummary(services, parseModelName(request.params.name));
      saySeq(reply, seq);
      return summary;
    },
  );
  app.get(
    '/models/:name/history',
    {
      config: reads,
      schema: {
        operationId: 'getHistory',
        tags: ['models'],
        summary: 'Tells what happened to a model, oldest first.',
        params: Named,
        querystring: PageQuery,
        response: { 200: pageOf(HistoryEntry), ...READ_PROBLEMS },
      },
    },
    async ({ params, query: { limit, cursor } }) =>
      historyPage(services, parseModelName(params.name), { limit, after: numberCursor('history', cursor) }),
  );
  app.get(
    '/models/:name/log',
    {
      config: reads,
      schema: {
        operationId: 'getLog',
        tags: ['models'],
        summary: 'Gives the events of a model as they lie in the store, oldest first: what a copy of the chain needs.',
        params: Named,
        querystring: PageQuery,
        response: { 200: pageOf(JsonObjectValue), ...READ_PROBLEMS },
      },
    },
    async ({ params, query: { limit, cursor } }) =>
      logPage(services, parseModelName(params.name), { limit, after: numberCursor('log', cursor) }),
  );
}

function changing(app: NativeApp, services: Services): void {
  const { registry, authorizer } = services;
  app.patch(
    '/models/:name',
    {
      config: { access: { can: 'push', on: modelTarget } },
      schema: {
        operationId: 'updateModel',
        tags: ['models'],
        summary: 'Changes the description and the tags of a model; null removes a tag.',
        params: Named,
        body: ModelChanges,
        response: { 200: Model, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const name = parseModelName(request.params.name);
      const { reason, ...changes } = request.body;
      const condition = await conditionOf(request, services, {
        name,
        current: async () => (await modelSummary(services, name)).summary,
      });
      const options = { actor: actorOf(request), reason, ...condition };
      const model = await registry.updateModel(name, changes, options);
      await sayIndexedSeq(reply, services, name);
      return model;
    },
  );
  app.post(
    '/models/:name/rename',
    {
      config: administers,
      schema: {
        operationId: 'renameModel',
        tags: ['models'],
        summary: 'Gives a model another name.',
        params: Named,
        body: z.strictObject({ name: ModelNameText, reason: Reason.optional() }),
        response: { 204: NOTHING, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const newName = parseModelName(request.body.name);
      checkMaking(authorizer, request.identity, newName, 'admin');
      const { reason } = request.body;
      await registry.rename(parseModelName(request.params.name), newName, { actor: actorOf(request), reason });
      return reply.status(204).send();
    },
  );
}

function ending(app: NativeApp, services: Services): void {
  app.delete(
    '/models/:name',
    {
      config: administers,
      schema: {
        operationId: 'deleteModel',
        tags: ['models'],
        summary: 'Deletes a model; one made again under its name starts at version 1.',
        params: Named,
        querystring: Why,
        response: { 204: NOTHING, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const name = parseModelName(request.params.name);
      const condition = await conditionOf(request, services, {
        name,
        current: async () => (await modelSummary(services, name)).summary,
      });
      const { reason } = request.query;
      await services.registry.deleteModel(name, { actor: actorOf(request), reason, ...condition });
      return reply.status(204).send();
    },
  );
}
