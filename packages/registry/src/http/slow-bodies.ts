import { IngotError } from '@ingot/core/errors';
import type { FastifyInstance } from 'fastify';

/** JSON bodies are small: what has not come after this does not want to come. */
const BODY_TIMEOUT_MS = 30_000;

/**
 * Ends requests whose JSON body trickles in. Bodies that are files take as long as they take.
 * @param timeoutMs default 30 s.
 */
export function refuseSlowBodies(app: FastifyInstance, timeoutMs = BODY_TIMEOUT_MS): void {
  app.addHook('preParsing', (request, _reply, payload, done) => {
    if (request.headers['content-type']?.startsWith('application/json') === true) {
      const clock = setTimeout(() => request.raw.destroy(tooLate(timeoutMs)), timeoutMs);
      const stop = (): void => clearTimeout(clock);
      payload.once('end', stop);
      payload.once('close', stop);
    }
    done(null, payload);
  });
}

function tooLate(timeoutMs: number): IngotError {
  return new IngotError('timeout', `the body did not arrive within ${timeoutMs / 1000} s`, {
    details: { status: 408 },
  });
}
