import { IngotError } from '@ingot/core/errors';
import type { ModelName } from '@ingot/core/ref';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Services } from '../../services.ts';
import { modelOf } from './request-model.ts';

/** Answers carry the number of the last event of the model's log that they reflect. */
export const SEQ_HEADER = 'ingot-seq';

/** A request may say below which event the answer must not be. */
export const MIN_SEQ_HEADER = 'ingot-min-seq';

const LONGEST_WAIT_MS = 5000;

/** Says which event of the model's log an answer reflects. */
export function saySeq(reply: FastifyReply, seq: number): void {
  reply.header(SEQ_HEADER, String(seq));
}

/** Says which event of a model's log an answer reflects that was just made. */
export async function sayIndexedSeq(reply: FastifyReply, { index }: Services, name: ModelName): Promise<void> {
  saySeq(reply, (await index.placeOf(name)).seq);
}

/** Lets a request wait until the index has what it asks for (`ingot-min-seq`); it is `unavailable` when that takes too long. */
export function waitForSeq(app: FastifyInstance, { index }: Services): void {
  app.addHook('preHandler', async (request) => {
    const header = request.headers[MIN_SEQ_HEADER];
    if (header === undefined) return;
    const wanted = typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : Number.NaN;
    if (!Number.isSafeInteger(wanted))
      throw new IngotError('invalid-request', `${MIN_SEQ_HEADER} is not a whole number`);
    const name = modelOf(request);
    if (name === undefined || (await index.reach(name, wanted, LONGEST_WAIT_MS))) return;
    throw new IngotError('unavailable', `event ${wanted} of "${name}" is not here yet`, {
      details: { model: name, seq: wanted },
    });
  });
}
