/**
 * Bytes to and from GCS. The client's own streams are not used for them: they take half as
 * much CPU again, leave a request open for ever when an upload is given up, and cannot tell a stalled reply.
 */

import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { type Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { slicesOf } from '../remote/body.ts';
import type { CallWatch } from '../remote/watch.ts';
import { GcsRefusal } from './failures.ts';

/** How many connections are kept at once. */
export const SOCKETS = 64;
const ERROR_TEXT_BYTES = 64 * 1024;

/** One request. */
export interface GcsRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly pieces?: readonly Uint8Array[];
}

/** Sends requests with bodies and replies that stream, over connections that are kept. */
export class GcsTransport {
  readonly #authorize: () => Promise<Readonly<Record<string, string>>>;
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: SOCKETS });
  readonly #https: HttpsAgent;

  constructor(authorize: () => Promise<Readonly<Record<string, string>>>, https: HttpsAgent) {
    this.#authorize = authorize;
    this.#https = https;
  }

  /**
   * Sends one request and gives the reply as soon as it begins.
   * @throws GcsRefusal for a status of 400 and more; whatever the socket fails with.
   */
  async send({ method, url, headers, pieces = [] }: GcsRequest, watch: CallWatch): Promise<IncomingMessage> {
    const authorization = await watch.race(this.#authorize());
    const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    const isTls = url.protocol === 'https:';
    const request = (isTls ? httpsRequest : httpRequest)(url, {
      method,
      agent: isTls ? this.#https : this.#http,
      signal: watch.signal,
      headers: {
        ...headers,
        ...authorization,
        ...(method === 'GET' || method === 'DELETE' ? {} : { 'content-length': length }),
      },
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
    });
    // Errors of a request whose reply has begun reach whoever reads the reply.
    request.on('error', () => {});
    const [reply] = await Promise.all([answered, Promise.race([answered, sendAll(request, pieces, watch)])]);
    watch.progress();
    if (Number(reply.statusCode) < 400) return reply;
    const refusal = await refusalOf(reply, watch);
    // A service may answer before it has read all: nothing more is sent.
    if (!request.writableFinished) request.destroy();
    throw refusal;
  }
}

async function sendAll(
  request: ReturnType<typeof httpRequest>,
  pieces: readonly Uint8Array[],
  watch: CallWatch,
): Promise<void> {
  let goOn = () => {};
  request.on('drain', () => goOn());
  request.once('close', () => goOn());
  for (const slice of slicesOf(pieces)) {
    const isTaken = request.write(slice, () => watch.progress());
    if (!isTaken && !request.destroyed) {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
    }
    if (request.destroyed) return;
  }
  request.end();
}

async function refusalOf(reply: IncomingMessage, watch: CallWatch): Promise<GcsRefusal> {
  return new GcsRefusal(Number(reply.statusCode), await textOfReply(reply, watch), reply.headers);
}

/** Collects the text of a small reply; what is longer than an error can be is dropped. */
export async function textOfReply(reply: IncomingMessage, watch: CallWatch): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of reply) {
    watch.progress();
    if (length < ERROR_TEXT_BYTES) pieces.push(piece);
    length += piece.byteLength;
  }
  return Buffer.concat(pieces).toString('utf8');
}
