import { createHash } from 'node:crypto';
import { IngotError } from '@ingot/core/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** The strong ETag of a text: equal exactly when the answers are, byte for byte. */
export function etagOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 27)}"`;
}

/** Gives every JSON answer of a GET its ETag, and answers 304 to who has it already (`If-None-Match`). */
export function conditionalReads(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if ((request.method !== 'GET' && request.method !== 'HEAD') || reply.statusCode !== 200) return payload;
    if (typeof payload !== 'string' || reply.hasHeader('etag')) return payload;
    const etag = etagOf(payload);
    reply.header('etag', etag);
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'private, no-cache');
    if (!matches(request.headers['if-none-match'], etag, true)) return payload;
    return notModified(reply);
  });
}

function notModified(reply: FastifyReply): string {
  reply.status(304);
  reply.removeHeader('content-type');
  reply.removeHeader('content-length');
  return '';
}

/**
 * Checks `If-Match` against what the address says now.
 * @param current gives the answer that a GET would; throws when there is none.
 * @throws IngotError `precondition-failed`, and what `current` throws.
 */
export async function requireMatch(request: FastifyRequest, current: () => Promise<unknown>): Promise<void> {
  const wanted = request.headers['if-match'];
  if (wanted === undefined) return;
  const etag = etagOf(JSON.stringify(await current()));
  if (matches(wanted, etag, false)) return;
  throw new IngotError('precondition-failed', 'it was changed since you read it: its ETag is another one', {
    hint: 'read it again, and decide again',
    details: { etag },
  });
}

/** Whether a list of ETags, or `*`, has this one; `If-None-Match` compares weakly, `If-Match` strongly. */
function matches(header: string | undefined, etag: string, isWeak: boolean): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((entry) => {
    const text = entry.trim();
    return text === etag || (isWeak && text === `W/${etag}`);
  });
}
