import { IngotError } from '@ingot/core/errors';
import type { FastifyRequest } from 'fastify';
import type { Services } from '../services.ts';

/** Takes names of other models out of an error, unless whoever asked may read all of them. */
export function withoutHiddenNames(
  error: IngotError,
  request: FastifyRequest,
  { authorizer }: Pick<Services, 'authorizer'>,
): IngotError {
  if (error.code !== 'model-not-found') return error;
  if (request.identity !== undefined && authorizer.may(request.identity, 'read', { kind: 'server' })) return error;
  const { model } = error.details;
  return new IngotError(error.code, error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    details: model === undefined ? {} : { model },
    cause: error.cause,
  });
}
