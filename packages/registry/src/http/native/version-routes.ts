import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ModelName, parseModelName, type Reference } from '@ingot/core/ref';
import type { RecipeRef as Recipe } from '@ingot/core/content/content-store';
import type { VersionDraft as Draft, VersionRecord as Version } from '@ingot/core/registry/registry';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import { actorOf } from './actor.ts';
import { conditionOf } from './condition.ts';
import { versionPage } from './listing.ts';
import { sayIndexedSeq } from './model-seq.ts';
import type { NativeApp } from './native-api.ts';
import { numberCursor, pageOf, PageQuery } from './paging.ts';
import { READ_PROBLEMS, WRITE_PROBLEMS } from './problems.ts';
import { modelTarget, versionReference } from './request-model.ts';
import {
  AliasText,
  ModelNameText,
  Reason,
  VersionChanges,
  VersionDraft,
  VersionRecord,
  VersionSlim,
} from './schemas.ts';

const Named = z.object({ name: ModelNameText });
const OneVersion = z.object({
  name: ModelNameText,
  version: z.string().min(1).max(200).describe('`7`, `latest`, a label (`1.2.0`), `@production` or `@sha256:…`.'),
});
const Published = z.object({
  version: VersionRecord,
  existed: z.boolean().describe('The newest version had this manifest already; nothing was published.'),
});
const Publication = z.strictObject({
  draft: VersionDraft,
  aliases: z.array(AliasText).max(100).optional(),
  reason: Reason.optional(),
  existingOnly: z.boolean().optional(),
  always: z.boolean().optional(),
  number: z.number().int().min(1).optional(),
});
const reads = { access: { can: 'read', on: modelTarget } } as const;
const pushes = { access: { can: 'push', on: modelTarget } } as const;
const promotes = { access: { can: 'promote', on: modelTarget } } as const;

/** Routes of versions: `/models/{name}/versions…`. */
export function versionRoutes(app: NativeApp, services: Services): void {
  listing(app, services);
  publishing(app, services);
  reading(app, services);
  changing(app, services);
  ending(app, services);
}

function listing(app: NativeApp, services: Services): void {
  app.get(
    '/models/:name/versions',
    {
      config: reads,
      schema: {
        operationId: 'listVersions',
        tags: ['versions'],
        summary: 'Lists the versions of a model, newest first.',
        params: Named,
        querystring: PageQuery,
        response: { 200: pageOf(VersionSlim), ...READ_PROBLEMS },
      },
    },
    async ({ params, query: { limit, cursor } }) =>
      versionPage(services, parseModelName(params.name), { limit, after: numberCursor('versions', cursor) }),
  );
}

function publishing(app: NativeApp, services: Services): void {
  const { registry, authorizer } = services;
  app.post(
    '/models/:name/versions',
    {
      config: pushes,
      schema: {
        operationId: 'publishVersion',
        tags: ['versions'],
        summary: 'Publishes a version; its contents are stored already.',
        params: Named,
        body: Publication,
        response: { 200: Published, 201: Published, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const model = parseModelName(request.params.name);
      const { draft, ...options } = request.body;
      for (const alias of options.aliases ?? [])
        authorizer.check(request.identity, 'promote', { kind: 'model', model, alias });
      const given = draftOf(draft);
      const checked = given.recipe === undefined ? given : await checkedDraft(services, request, model, given);
      const published = await registry.publish(model, checked, { ...options, actor: actorOf(request) });
      await sayIndexedSeq(reply, services, model);
      return reply.status(published.existed ? 200 : 201).send(published);
    },
  );
}

/** What the draft says of contents is what they are: it was looked at here. */
async function checkedDraft(
  services: Services,
  { identity }: FastifyRequest,
  model: ModelName,
  draft: Draft,
): Promise<Draft> {
  const base = await newestRecipes(services, model);
  return await services.contents.publications.checked({ identity, draft, base });
}

const BASE_VERSIONS = 3;

/** What the newest versions rely on was looked at when they were published. */
async function newestRecipes({ database, index }: Services, model: ModelName): Promise<readonly Recipe[]> {
  const { id } = await index.placeOf(model);
  const rows = await database.index
    .selectFrom('versions')
    .select('record')
    .where('model_id', '=', id)
    .where('status', '<>', 'deleted')
    .orderBy('number', 'desc')
    .limit(BASE_VERSIONS)
    .execute();
  return rows.map(({ record }) => {
    const { recipe }: Version = JSON.parse(record);
    return recipe;
  });
}

/** Without a recipe, the draft only adds to what is there. */
function draftOf({
  recipe,
  ...draft
}: z.infer<typeof VersionDraft>): Draft | (Omit<Draft, 'recipe'> & { recipe?: undefined }) {
  return recipe === undefined ? draft : { ...draft, recipe };
}

function reading(app: NativeApp, services: Services): void {
  app.get(
    '/models/:name/versions/:version',
    {
      config: { ...reads, keeps: true },
      schema: {
        operationId: 'getVersion',
        tags: ['versions'],
        summary: 'Says all that is known of a version.',
        params: OneVersion,
        response: { 200: VersionRecord, ...READ_PROBLEMS },
      },
    },
    async (request, reply) => answer(services, reply, await services.registry.version(referenceOf(request))),
  );
}

function changing(app: NativeApp, services: Services): void {
  const { registry } = services;
  app.patch(
    '/models/:name/versions/:version',
    {
      config: pushes,
      schema: {
        operationId: 'updateVersion',
        tags: ['versions'],
        summary: 'Changes description, card, tags and metrics of a version; null removes a tag.',
        params: OneVersion,
        body: VersionChanges,
        response: { 200: VersionRecord, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { reason, ...changes } = request.body;
      const options = await optionsOf(request, services, reason);
      return answer(services, reply, await registry.update(referenceOf(request), changes, options));
    },
  );
  app.post(
    '/models/:name/versions/:version/retire',
    {
      config: promotes,
      schema: {
        operationId: 'retireVersion',
        tags: ['versions'],
        summary: 'Retires a version: it is no more what `latest` means; it stays readable.',
        params: OneVersion,
        body: z.strictObject({ reason: Reason.optional() }).optional(),
        response: { 200: VersionRecord, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const options = await optionsOf(request, services, request.body?.reason);
      return answer(services, reply, await registry.retire(referenceOf(request), options));
    },
  );
  app.put(
    '/models/:name/versions/:version/stage',
    {
      config: promotes,
      schema: {
        operationId: 'setStage',
        tags: ['versions'],
        summary: 'Puts a version in a stage; null: in none.',
        params: OneVersion,
        body: z.strictObject({ stage: z.string().max(200).nullable(), reason: Reason.optional() }),
        response: { 200: VersionRecord, ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { stage, reason } = request.body;
      const options = await optionsOf(request, services, reason);
      return answer(services, reply, await registry.setStage(referenceOf(request), stage, options));
    },
  );
}

function ending(app: NativeApp, services: Services): void {
  app.delete(
    '/models/:name/versions/:version',
    {
      config: { access: { can: 'admin', on: modelTarget } },
      schema: {
        operationId: 'deleteVersion',
        tags: ['versions'],
        summary: 'Releases the contents of a version; its number is never used again.',
        params: OneVersion,
        querystring: z.object({ reason: Reason.optional() }),
        response: { 204: z.undefined().describe('Done.'), ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const options = await optionsOf(request, services, request.query.reason);
      await services.registry.deleteVersion(referenceOf(request), options);
      return reply.status(204).send();
    },
  );
}

type OfVersion = FastifyRequest<{ Params: { name: string; version: string } }>;

function referenceOf({ params }: Pick<OfVersion, 'params'>): Reference {
  return versionReference(parseModelName(params.name), params.version);
}

async function optionsOf(request: OfVersion, services: Services, reason: string | undefined) {
  const name: ModelName = parseModelName(request.params.name);
  const current = (): Promise<Version> => services.registry.version(referenceOf(request));
  return { actor: actorOf(request), reason, ...(await conditionOf(request, services, { name, current })) };
}

async function answer(services: Services, reply: FastifyReply, version: Version): Promise<Version> {
  await sayIndexedSeq(reply, services, version.model);
  return version;
}
