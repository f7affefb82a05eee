import { IngotError } from '@ingot/core/errors';
import type { ModelName } from '@ingot/core/ref';
import type { FastifyRequest } from 'fastify';
import type { Services } from '../../services.ts';
import { requireMatch } from './conditional.ts';

/** The event that must be the last of the model's log, where a request says so. */
const EXPECTED_SEQ_HEADER = 'ingot-expected-seq';

/** Reads which event a write must follow. Throws `invalid-request`. */
export function expectedSeqOf(request: FastifyRequest): { readonly expectedSeq?: number } {
  const header = request.headers[EXPECTED_SEQ_HEADER];
  if (header === undefined) return {};
  const expectedSeq = typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : Number.NaN;
  if (Number.isSafeInteger(expectedSeq)) return { expectedSeq };
  throw new IngotError('invalid-request', `${EXPECTED_SEQ_HEADER} is not a whole number`);
}

/**
 * Checks `If-Match`, and gives what makes a write to the model's log fail when anything was written since.
 * @throws IngotError `precondition-failed`.
 */
export async function conditionOf(
  request: FastifyRequest,
  services: Services,
  { name, current }: { readonly name: ModelName; readonly current: () => Promise<unknown> },
): Promise<{ readonly expectedSeq?: number }> {
  if (request.headers['if-match'] === undefined) return expectedSeqOf(request);
  const { seq } = await services.index.placeOf(name);
  await requireMatch(request, current);
  return { expectedSeq: seq };
}
