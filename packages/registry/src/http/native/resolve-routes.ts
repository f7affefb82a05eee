import { parseReference } from '@ingot/core/ref';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import { saySeq } from './model-seq.ts';
import type { NativeApp } from './native-api.ts';
import { READ_PROBLEMS } from './problems.ts';
import { modelTarget } from './request-model.ts';
import { Resolved } from './schemas.ts';

/** `GET /resolve?ref=`: which version a reference means. */
export function resolveRoutes(app: NativeApp, { registry, index }: Services): void {
  app.get(
    '/resolve',
    {
      config: { access: { can: 'read', on: modelTarget }, keeps: true },
      schema: {
        operationId: 'resolve',
        tags: ['versions'],
        summary: 'Says which version a reference means, and where its contents lie.',
        querystring: z.object({
          ref: z.string().min(1).max(400).describe('`churn@production`'),
          at: z.iso
            .datetime({ offset: true })
            .optional()
            .describe('What it meant then: after the last event of the log that is not later.'),
        }),
        response: { 200: Resolved, ...READ_PROBLEMS },
      },
    },
    async ({ query: { ref, at } }, reply) => {
      const reference = parseReference(ref);
      const answer = at === undefined ? registry.resolve(reference) : index.resolveAsOf(reference, new Date(at));
      const { reference: _, staleSince: __, ...resolved } = await answer;
      saySeq(reply, resolved.seq);
      return { ref, ...resolved };
    },
  );
}
