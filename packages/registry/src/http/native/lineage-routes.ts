import { parseModelName, parseReference } from '@ingot/core/ref';
import { z } from 'zod';
import { indexedLineage } from '../../lineage/indexed-lineage.ts';
import { DEEPEST, readLineage } from '../../lineage/lineage.ts';
import type { Services } from '../../services.ts';
import type { NativeApp } from './native-api.ts';
import { READ_PROBLEMS } from './problems.ts';
import { modelTarget } from './request-model.ts';

const Node = z
  .object({
    id: z.string(),
    kind: z.enum(['version', 'address', 'run', 'data', 'commit', 'environment', 'server']),
    name: z.string(),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  })
  .meta({ id: 'LineageNode' });

const Edge = z
  .object({
    from: z.string().describe('Id of the node that was there first.'),
    to: z.string(),
    kind: z.enum(['parent of', 'logged', 'trained', 'code of', 'environment of', 'source of', 'answers at']),
  })
  .meta({ id: 'LineageEdge' });

const Answer = z
  .object({
    root: z.string().describe('Id of the node that was asked about.'),
    nodes: z.array(Node).readonly(),
    edges: z.array(Edge).readonly(),
    isCut: z.boolean().describe('There is more than is shown: ask with a greater depth, or about another version.'),
  })
  .meta({ id: 'LineageGraph' });

const Query = z.object({
  ref: z.string().min(1).max(400).describe('`churn@production`'),
  direction: z.enum(['up', 'down', 'both']).default('both').describe('What it came from, or what came of it.'),
  depth: z.coerce.number().int().min(0).max(DEEPEST).default(5).describe('Steps from version to version.'),
});

/** `GET /lineage?ref=`: what a version came from, and what came of it. */
export function lineageRoutes(app: NativeApp, { registry, authorizer, database, index, now }: Services): void {
  app.get(
    '/lineage',
    {
      config: { access: { can: 'read', on: modelTarget } },
      schema: {
        operationId: 'getLineage',
        tags: ['lineage'],
        summary: 'Says what a version came from, and what came of it.',
        querystring: Query,
        response: { 200: Answer, ...READ_PROBLEMS },
      },
    },
    async ({ identity, query: { ref, direction, depth } }) => {
      const mayRead = (model: string): boolean =>
        authorizer.may(identity, 'read', { kind: 'model', model: parseModelName(model) });
      const version = await registry.version(parseReference(ref));
      return readLineage(version, indexedLineage({ database, index, mayRead, now }), { direction, depth });
    },
  );
}
