import { IngotError } from '@ingot/core/errors';
import { parseModelName } from '@ingot/core/ref';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Feed, FeedEvent, FeedNews } from '../../events/feed.ts';
import type { Services } from '../../services.ts';
import type { NativeApp } from './native-api.ts';
import { problems } from './problems.ts';

const HEARTBEAT_MS = 15_000;
/** Readers come back, and are let in again or not, after so long. */
const LONGEST_MS = 30 * 60_000;
const MAX_STREAMS = 2000;
/** What a slow reader may have unread before it is cut off; it comes back and goes on where it was. */
const MAX_UNREAD_BYTES = 1024 * 1024;
const MAX_MODELS = 100;

const Query = z.object({
  model: z
    .union([z.string().max(200), z.array(z.string().max(200)).max(MAX_MODELS)])
    .optional()
    .describe('Only of these models; may stand several times.'),
});

/** `GET /events`: what happens in the registry, as server-sent events, as far as the caller may read it. */
export function eventRoutes(app: NativeApp, services: Services): void {
  const { feed, authorizer, access } = services;
  const streams = new Set<EventStream>();
  app.addHook('preClose', async () => {
    for (const stream of streams) stream.end();
  });
  app.get(
    '/events',
    {
      config: { access: 'signed-in' },
      schema: {
        operationId: 'followEvents',
        tags: ['events'],
        summary: 'Follows what happens, as server-sent events.',
        description:
          'The event’s name is its kind (`alias-set`, `version-published`, …), its id a position: sent back as `Last-Event-ID` it goes on there, and an event may come twice. `reset` means that more was missed than is kept: ask anew for what you rely on.',
        querystring: Query,
        response: {
          200: {
            description: 'Events until the connection ends; a comment every 15 seconds.',
            content: { 'text/event-stream': { schema: z.string() } },
          },
          ...problems(),
        },
      },
    },
    async (request, reply) => {
      if (streams.size >= MAX_STREAMS)
        throw new IngotError('overloaded', `${MAX_STREAMS} readers follow the events already`);
      const models = [request.query.model ?? []].flat().map(parseModelName);
      const wanted = models.length === 0 ? undefined : new Set<string>(models);
      const isWanted = (event: FeedEvent): boolean => {
        const names = namesOf(event);
        if (wanted !== undefined && !names.some((name) => wanted.has(name))) return false;
        return names.some((name) =>
          authorizer.may(request.identity, 'read', { kind: 'model', model: parseModelName(name) }),
        );
      };
      const after = lastEventId(request);
      const isCurrent = (): boolean => access?.isCurrent(request.identity) ?? true;
      const stream = new EventStream(reply, { isWanted, isCurrent });
      streams.add(stream);
      stream.onEnd(() => streams.delete(stream));
      await stream.follow(feed, after);
      return reply;
    },
  );
}

interface Reader {
  readonly isWanted: (event: FeedEvent) => boolean;
  /** Whether they would still be let in. */
  readonly isCurrent: () => boolean;
}

/** The answer to one reader. */
class EventStream {
  readonly #reply: FastifyReply;
  readonly #reader: Reader;
  readonly #ends: (() => void)[] = [];
  #isOver = false;

  constructor(reply: FastifyReply, reader: Reader) {
    this.#reply = reply;
    this.#reader = reader;
  }

  onEnd(act: () => void): void {
    this.#ends.push(act);
  }

  /** Begins to answer. What fails before that is a problem as ever. */
  async follow(feed: Feed, after: string | undefined): Promise<void> {
    const from = after ?? (await feed.now());
    this.#reply.hijack();
    const { raw } = this.#reply;
    raw.on('close', () => this.end());
    raw.on('error', () => this.end());
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // A server that stops ends the streams; a connection that stayed open would hold it up.
      connection: 'close',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    // The first id lets a reader who has seen nothing yet go on from here.
    this.#write(`retry: 1000\nid: ${typeof from === 'string' ? from : from.position}\n: following\n\n`);
    const heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    const longest = setTimeout(() => this.end(), LONGEST_MS);
    this.onEnd(() => {
      clearInterval(heartbeat);
      clearTimeout(longest);
    });
    try {
      const stop = await feed.subscribe((news) => this.#tell(news), from);
      if (this.#isOver) stop();
      else this.onEnd(stop);
    } catch {
      // The headers are out: the reader comes back and gets the problem then.
      this.end();
    }
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const act of this.#ends) act();
    this.#reply.raw.end();
  }

  #beat(): void {
    if (this.#reader.isCurrent()) this.#write(': \n\n');
    else this.end();
  }

  #tell(news: FeedNews): void {
    if (!this.#reader.isCurrent()) this.end();
    else if (news.kind === 'reset') this.#write(`event: reset\nid: ${news.position}\ndata: {}\n\n`);
    else if (this.#reader.isWanted(news.event)) this.#write(textOf(news.event));
  }

  #write(text: string): void {
    const { raw } = this.#reply;
    if (this.#isOver || raw.destroyed) return;
    if (raw.writableLength > MAX_UNREAD_BYTES) {
      raw.destroy();
      this.end();
      return;
    }
    raw.write(text);
  }
}

function textOf({ position, body, log: _, ...event }: FeedEvent): string {
  const { alias, number, from, stage, renames } = body;
  const facts = { ...event, alias, number, from, stage, renames };
  return `event: ${event.kind}\nid: ${position}\ndata: ${JSON.stringify(facts)}\n\n`;
}

function namesOf({ model, body }: FeedEvent): readonly string[] {
  const renames = Array.isArray(body.renames) ? body.renames : [];
  const renamed = renames.flatMap((entry: unknown) =>
    typeof entry === 'object' && entry !== null ? [Reflect.get(entry, 'from'), Reflect.get(entry, 'to')] : [],
  );
  const known: unknown[] = [model, ...renamed];
  return known.filter((name): name is string => typeof name === 'string');
}

function lastEventId({ headers }: FastifyRequest): string | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id.slice(0, 100) : undefined;
}
