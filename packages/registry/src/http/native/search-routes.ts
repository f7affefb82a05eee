import { z } from 'zod';
import type { Identity } from '../../access/identity.ts';
import { readableModels } from '../../search/readable-models.ts';
import { type FoundPage, searchVersions } from '../../search/search-versions.ts';
import type { Services } from '../../services.ts';
import type { NativeApp } from './native-api.ts';
import { pageOf, PageQuery } from './paging.ts';
import { problems } from './problems.ts';
import { DigestText, Moment } from './schemas.ts';

const Found = z
  .object({
    model: z.string(),
    modelId: z.string(),
    number: z.number().int().min(1),
    manifest: DigestText,
    label: z.string().optional(),
    status: z.enum(['active', 'retired', 'deleted']),
    stage: z.string().optional(),
    aliases: z.array(z.string()).readonly(),
    flavor: z.string(),
    sizeBytes: z.number().int().min(0),
    description: z.string().optional(),
    author: z.string().optional(),
    publishedAt: Moment,
    publishedBy: z.string(),
    updatedAt: Moment.optional(),
    metrics: z.record(z.string(), z.number()),
    tags: z.record(z.string(), z.string()),
  })
  .meta({ id: 'FoundVersion' });

const Query = PageQuery.extend({
  filter: z
    .string()
    .max(65_536)
    .optional()
    .describe(
      '`churn stage = Production AND metrics.auc >= 0.9`; docs/search.md has the grammar. Default: everything.',
    ),
  sort: z
    .string()
    .max(1000)
    .optional()
    .describe('`metrics.auc desc, published`; a version without a value comes last. Default: `published desc`.'),
});

/** The same as a body, where a number is a number. */
const Asked = Query.extend({
  limit: z.number().int().min(1).max(1000).default(100).describe('Most entries of the answer, 1 to 1,000.'),
});

/** Searches of the versions of all models that the caller may read: `GET /versions`, and `POST /versions/search`. */
export function searchRoutes(app: NativeApp, services: Services): void {
  app.get(
    '/versions',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'searchVersions',
        tags: ['search'],
        summary: 'Searches versions of all models.',
        querystring: Query,
        response: { 200: pageOf(Found), ...problems() },
      },
    },
    ({ identity, query }) => found(services, identity, query),
  );
  app.post(
    '/versions/search',
    {
      // It changes nothing, so that repeating it does no harm.
      config: { access: 'signed-in', idempotency: false },
      schema: {
        operationId: 'searchVersionsAtLength',
        tags: ['search'],
        summary: 'Searches versions of all models by a filter that is too long for an address.',
        body: Asked,
        response: { 200: pageOf(Found), ...problems(408, 413, 415) },
      },
    },
    ({ identity, body }) => found(services, identity, body),
  );
}

async function found(services: Services, identity: Identity, asked: z.output<typeof Asked>): Promise<FoundPage> {
  const readable = await readableModels(services, identity);
  return searchVersions(services.database, { ...asked, readable, now: services.now() });
}
