import { parseReference } from '@ingot/core/ref';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import { saySeq } from './model-seq.ts';
import type { NativeApp } from './native-api.ts';
import { READ_PROBLEMS } from './problems.ts';
import { modelTarget } from './request-model.ts';
import { Resolved } from './schemas.ts';

/** `GET /resolve?ref=`: which version a reference means. */
export function resolveRoutes(app: NativeApp, { registry }: Services): void {
  app.get(
    '/resolve',
    {
      config: { access: { can: 'read', on: modelTarget } },
      schema: {
        operationId: 'resolve',
        tags: ['versions'],
        summary: 'Says which version a reference means, and where its contents lie.',
        querystring: z.object({ ref: z.string().min(1).max(400).describe('`churn@production`') }),
        response: { 200: Resolved, ...READ_PROBLEMS },
      },
    },
    async ({ query: { ref } }, reply) => {
      const { reference: _, staleSince: __, ...resolved } = await registry.resolve(parseReference(ref));
      saySeq(reply, resolved.seq);
      return { ref, ...resolved };
    },
  );
}
