import { setTimeout as sleep } from 'node:timers/promises';
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
const LOOK_EVERY_MS = 50;

/** Says which event of the model's log an answer reflects. */
export function saySeq(reply: FastifyReply, seq: number | undefined): void {
  if (seq !== undefined) reply.header(SEQ_HEADER, String(seq));
}

/** Number of the last event of a model's log that the index has; undefined when it has none. */
export async function indexedSeq({ database }: Services, modelId: string): Promise<number | undefined> {
  const row = await database.index.selectFrom('logs').select('seq').where('log', '=', modelId).executeTakeFirst();
  return row?.seq;
}

/** Lets a request wait until the index has what it asks for (`ingot-min-seq`); it is `unavailable` when that takes too long. */
export function waitForSeq(app: FastifyInstance, services: Services): void {
  app.addHook('preHandler', async (request) => {
    const header = request.headers[MIN_SEQ_HEADER];
    if (header === undefined) return;
    const wanted = Number(header);
    if (!Number.isSafeInteger(wanted) || wanted < 0)
      throw new IngotError('invalid-request', `${MIN_SEQ_HEADER} is not a whole number`);
    const name = modelOf(request);
    if (name !== undefined) await reach(services, name, wanted);
  });
}

async function reach(services: Services, name: ModelName, wanted: number): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const seq = await seqOfName(services, name);
    if (seq >= wanted) return;
    if (waitedMs >= LONGEST_WAIT_MS)
      throw new IngotError('unavailable', `this replica has seen event ${seq} of "${name}", not ${wanted} yet`, {
        details: { model: name, seq, wanted },
      });
    await sleep(LOOK_EVERY_MS);
  }
}

async function seqOfName({ database }: Services, name: ModelName): Promise<number> {
  const row = await database.index
    .selectFrom('models')
    .innerJoin('logs', 'logs.log', 'models.id')
    .select('logs.seq')
    .where('models.name', '=', name)
    .executeTakeFirst();
  return row?.seq ?? 0;
}
