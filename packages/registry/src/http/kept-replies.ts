import type { ModelName } from '@ingot/core/ref';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Permission, Target } from '../access/identity.ts';
import type { ModelIndex } from '../index/indexed-registry.ts';
import { modelOf } from '../oci/repository.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Whether the answer says nothing but what the logs say of the one model that the request acts on: then it is kept
     * until something of that model changes. It must not depend on who asks, nor on the time.
     */
    keeps?: boolean;
  }
  interface FastifyRequest {
    /** What an answer that may be kept hangs on, as it was before it was made. */
    keeping?: Pick<KeptReply, 'model' | 'mark' | 'target'> | undefined;
  }
}

/** An answer as it was sent once, and what it hangs on. */
export interface KeptReply {
  readonly model: ModelName;
  /** What the index gave of the model before the answer was made; it counts while the index gives the same. */
  readonly mark: object;
  /** What whoever asks must be allowed, and on what. */
  readonly permission: Permission;
  readonly target: Target;
  /** The route as it was declared. */
  readonly route: string;
  readonly etag: string | undefined;
  /** Names and values in a row, without those that differ between answers. */
  readonly headers: readonly string[];
  readonly body: string;
  readonly encoding: 'latin1' | 'utf8';
}

const LONGEST_ADDRESS = 2048;
const LARGEST_REPLY = 64 * 1024;
const MOST_BYTES = 8 * 1024 * 1024;
/** About what an entry takes besides its texts. */
const ENTRY_BYTES = 600;

/** Answers by the address that was asked, the longest unused go first; no more than some bytes of them. */
export class KeptReplies {
  readonly #replies = new Map<string, KeptReply>();
  readonly #mostBytes: number;
  #bytes = 0;

  /** @param mostBytes default 8 MiB. */
  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /** About the memory that they take. */
  get bytes(): number {
    return this.#bytes;
  }

  get(address: string): KeptReply | undefined {
    return this.#replies.get(address);
  }

  keep(address: string, reply: KeptReply): void {
    if (address.length > LONGEST_ADDRESS || reply.body.length > LARGEST_REPLY) return;
    this.forget(address);
    this.#replies.set(address, reply);
    this.#bytes += bytesOf(address, reply);
    for (const oldest of this.#replies.keys()) {
      if (this.#bytes <= this.#mostBytes) return;
      this.forget(oldest);
    }
  }

  forget(address: string): void {
    const known = this.#replies.get(address);
    if (known === undefined) return;
    this.#replies.delete(address);
    this.#bytes -= bytesOf(address, known);
  }
}

function bytesOf(address: string, { body, headers, encoding }: KeptReply): number {
  const letters = headers.reduce((sum, text) => sum + text.length, address.length);
  return ENTRY_BYTES + letters + body.length * (encoding === 'latin1' ? 1 : 2);
}

/** Keeps what is answered at routes that say `keeps`. */
export function keepReplies(app: FastifyInstance, kept: KeptReplies, index: Pick<ModelIndex, 'markNow'>): void {
  app.decorateRequest('keeping');
  app.addHook('onRoute', (route) => {
    const { config } = route;
    if (config?.keeps !== true) return;
    const { access } = config;
    if (typeof access !== 'object' || !('can' in access) || access.on === undefined)
      throw new Error(`${route.url} keeps its answers and does not say by what it may be read`);
    const { can: permission, on } = access;
    route.preHandler = [route.preHandler ?? [], noted].flat();
    route.onSend = [route.onSend ?? [], keptAfter].flat();

    async function noted(request: FastifyRequest): Promise<void> {
      if (request.method !== 'GET') return;
      const target = on(request);
      const model = target.kind === 'model' ? modelOf(target.model) : undefined;
      const mark = model && index.markNow(model);
      if (model !== undefined && mark !== undefined) request.keeping = { model, mark, target };
    }

    async function keptAfter(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
      const { keeping } = request;
      const address = request.raw.url;
      if (keeping === undefined || address === undefined) return payload;
      if (reply.statusCode === 200 && typeof payload === 'string')
        kept.keep(address, { ...keeping, permission, route: route.url, ...written(reply.getHeaders(), payload) });
      return payload;
    }
  });
}

const OF_ONE_ANSWER: ReadonlySet<string> = new Set(['ingot-request-id', 'connection', 'date', 'content-length']);

function written(
  headers: ReturnType<FastifyReply['getHeaders']>,
  body: string,
): Pick<KeptReply, 'etag' | 'headers' | 'body' | 'encoding'> {
  const sizeBytes = Buffer.byteLength(body);
  const said = Object.entries(headers).filter(([name]) => !OF_ONE_ANSWER.has(name));
  const { etag } = headers;
  return {
    etag: typeof etag === 'string' ? etag : undefined,
    headers: [...said.flatMap(([name, value]) => [name, String(value)]), 'content-length', String(sizeBytes)],
    body,
    // One byte a letter is what the socket writes fastest.
    encoding: sizeBytes === body.length ? 'latin1' : 'utf8',
  };
}
