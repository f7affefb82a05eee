import { IngotError } from '@ingot/core/errors';
import type { FastifyRequest } from 'fastify';

/** Where nobody signs in, a client says for whom it writes; the history shows it as claimed. */
export const ACTOR_HEADER = 'ingot-actor';

const ACTOR = /^[^\p{C}]{1,200}$/u;

/** Who a write is by, as the history shows it. */
export function actorOf(request: FastifyRequest): string {
  const { identity, headers } = request;
  const claimed = headers[ACTOR_HEADER];
  if (identity.kind !== 'open' || typeof claimed !== 'string' || claimed === '') return identity.name;
  const name = decoded(claimed);
  if (name !== undefined && ACTOR.test(name)) return name;
  throw new IngotError('invalid-request', `${ACTOR_HEADER} is a percent-encoded name of 200 characters at most`);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // Malformed: the caller says so.
  }
}
