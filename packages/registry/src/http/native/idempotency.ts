import { createHash } from 'node:crypto';
import { IngotError } from '@ingot/core/errors';
import { canonicalJson } from '@ingot/core/json';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Answers, isTurn, type KeptAnswer, type Turn } from '../../idempotency/answers.ts';
import type { Services } from '../../services.ts';

const WRITES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
const KEY = /^[\x21-\x7e]{1,200}$/;
const KEPT_HEADERS = ['content-type', 'location', 'etag', 'ingot-seq'];
/** Say nothing of what was asked: the same request may have another answer next time. */
const NOT_KEPT: ReadonlySet<number> = new Set([401, 403, 408, 429]);

const SECRETS: ReadonlySet<string> = new Set(['password']);

declare module 'fastify' {
  interface FastifyContextConfig {
    /** False: the route takes no `Idempotency-Key`, because its body is no JSON or repeating it does no harm. */
    idempotency?: false;
  }
}

/** Lets every write be repeated with the same `Idempotency-Key`: it is done once, and answered again. */
export function idempotentWrites(app: FastifyInstance, services: Services): void {
  const answers = new Answers(services);
  const turns = new WeakMap<FastifyRequest, Turn>();
  app.addHook('onClose', () => answers.settled());
  app.addHook('preHandler', async (request, reply) => {
    const key = request.headers['idempotency-key'];
    if (key === undefined || !WRITES.has(request.method) || request.routeOptions.config.idempotency === false) return;
    if (typeof key !== 'string' || !KEY.test(key))
      throw new IngotError('invalid-request', 'an Idempotency-Key has 1 to 200 visible ASCII characters');
    const found = await answers.answerOrTurn({
      identity: keeperOf(request),
      key,
      fingerprint: fingerprintOf(request),
    });
    if (!isTurn(found)) return replay(reply, found);
    turns.set(request, found);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const turn = turns.get(request);
    if (turn === undefined) return payload;
    turns.delete(request);
    turn.end(answerToKeep(reply, payload));
    return payload;
  });
}

/** Two tokens of one account are two that ask: what one was answered, the other may not be allowed to see. */
function keeperOf({ identity: { subject, kind, name } }: FastifyRequest): string {
  return subject ?? `${kind}:${name}`;
}

function fingerprintOf(request: FastifyRequest): string {
  const body = request.body === undefined ? '' : canonicalJson(withoutSecrets(request.body));
  return createHash('sha256').update(`${request.method} ${request.url}\n${body}`).digest('base64url');
}

/** A digest that is quickly made would let whoever has the table try passwords quickly. */
function withoutSecrets(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  return Object.fromEntries(Object.entries(body).filter(([key]) => !SECRETS.has(key)));
}

function replay(reply: FastifyReply, { status, headers, body }: KeptAnswer): FastifyReply {
  return reply
    .status(status)
    .headers({ ...headers, 'idempotent-replayed': 'true' })
    .send(body);
}

function answerToKeep(reply: FastifyReply, payload: unknown): KeptAnswer | undefined {
  const { statusCode: status } = reply;
  if (status >= 500 || NOT_KEPT.has(status)) return undefined;
  if (payload !== undefined && payload !== null && typeof payload !== 'string') return undefined;
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = reply.getHeader(name);
    if (value !== undefined) headers[name] = String(value);
  }
  return { status, headers, body: payload ?? '' };
}
