import type { ModelName } from '@ingot/core/ref';
import type { FastifyRequest } from 'fastify';
import type { Services } from '../../services.ts';
import { requireMatch } from './conditional.ts';
import { indexedSeq } from './model-seq.ts';

/**
 * Checks `If-Match`, and gives what makes a write to the model's log fail when anything was written since.
 * @throws IngotError `precondition-failed`.
 */
export async function conditionOf(
  request: FastifyRequest,
  services: Services,
  { name, current }: { readonly name: ModelName; readonly current: () => Promise<unknown> },
): Promise<{ readonly expectedSeq?: number }> {
  if (request.headers['if-match'] === undefined) return {};
  const { id } = await services.registry.model(name);
  const expectedSeq = await indexedSeq(services, id);
  await requireMatch(request, current);
  return expectedSeq === undefined ? {} : { expectedSeq };
}
