import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ModelIndex } from '../index/indexed-registry.ts';
import type { KeptReplies, KeptReply } from './kept-replies.ts';
import { MIN_SEQ_HEADER } from './native/model-seq.ts';
import { REQUEST_ID, type RequestWatch, requestIdOf } from './request-watch.ts';
import type { Gate } from './route-access.ts';

/** What the lane asks. */
export interface FastLaneOptions {
  readonly kept: KeptReplies;
  readonly gate: Gate;
  readonly index: Pick<ModelIndex, 'markNow'>;
  readonly watch: RequestWatch;
}

/** Says whether it has answered a request. */
export type FastLane = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Makes the lane beside the framework for what is asked most often: an answer that is kept is sent as it was before. Who
 * asks, whether they may, and how often, is looked at as for every request; whatever is not plain goes the long way, which
 * says what is wrong in its own words.
 */
export function createFastLane({ kept, gate, index, watch }: FastLaneOptions): FastLane {
  return (request, response) => {
    const { url, headers } = request;
    if (request.method !== 'GET' || url === undefined || watch.isDraining) return false;
    const reply = kept.get(url);
    if (reply === undefined || gate.atOnce === undefined) return false;
    if (!isPlain(headers, reply) || index.markNow(reply.model) !== reply.mark) return false;
    const beganAt = performance.now();
    const identity = gate.atOnce(request, reply);
    if (identity === undefined) return false;
    watch.began();
    const requestId = requestIdOf(headers['x-request-id']);
    const status = send(response, reply, requestId, headers['if-none-match'] !== undefined);
    const { traceparent } = headers;
    watch.ended({
      method: 'GET',
      route: reply.route,
      status,
      requestId,
      by: identity.name,
      traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      beganAt,
    });
    return true;
  };
}

/** Whether the answer is the one that is kept, or none because whoever asks has it already. */
function isPlain(headers: IncomingMessage['headers'], { etag }: KeptReply): boolean {
  const known = headers['if-none-match'];
  return (
    (known === undefined || known === etag) &&
    headers[MIN_SEQ_HEADER] === undefined &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined
  );
}

function send(response: ServerResponse, reply: KeptReply, requestId: string, isKnown: boolean): number {
  const said = [REQUEST_ID, requestId, ...(isKnown ? withoutBody(reply.headers) : reply.headers)];
  if (isKnown) response.writeHead(304, said).end();
  else response.writeHead(200, said).end(reply.body, reply.encoding);
  return response.statusCode;
}

function withoutBody(headers: readonly string[]): string[] {
  return headers.filter((_, at) => !/^content-(?:type|length)$/.test(headers[at - (at % 2)] ?? ''));
}
