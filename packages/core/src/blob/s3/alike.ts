import type { GetObjectCommand, GetObjectCommandInput, GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import type { CallOptions } from './bucket.ts';

/** What the SDK made of a request, before it is signed; and what signs it, sends it and reads the answer. */
interface Pattern {
  readonly request: { readonly path: string; readonly headers: Readonly<Record<string, string>> };
  readonly key: string;
  readonly until: number;
  send(request: object): Promise<GetObjectCommandOutput>;
}

interface Arguments {
  readonly input: GetObjectCommandInput;
  readonly request: unknown;
}

type Step = (args: Arguments) => Promise<{ readonly output: GetObjectCommandOutput; readonly response: unknown }>;

/** An identity may change, so the SDK makes a request anew each time this is over. */
const FRESH_MS = 60_000;
/** Keys that stand in a path as they are. */
const PLAIN_KEY = /^[\w./-]+$/;

/**
 * Reads many ranges with little work for each. Of the two milliseconds that the SDK computes for a request, most go into
 * finding out what is the same for all: so for each signal it makes one request a minute, and the next ones are that one
 * with another key and range, signed, sent and understood by the SDK as ever.
 */
export class ReadsAlike {
  readonly #patterns = new WeakMap<AbortSignal, Pattern>();

  /** Sends a request for a range. Its failure is thrown as the SDK throws it. */
  async send(
    client: S3Client,
    command: GetObjectCommand,
    key: string,
    { abortSignal }: CallOptions,
  ): Promise<GetObjectCommandOutput> {
    const { Range: range } = command.input;
    if (abortSignal === undefined || range === undefined || !PLAIN_KEY.test(key))
      return await client.send(command, { abortSignal });
    const pattern = this.#patterns.get(abortSignal);
    if (pattern !== undefined && performance.now() < pattern.until) return await alike(pattern, key, range);
    this.#learn(command, key, abortSignal);
    return await client.send(command, { abortSignal });
  }

  #learn(command: GetObjectCommand, key: string, signal: AbortSignal): void {
    const learning =
      (next: Step): Step =>
      async (args) => {
        const { request } = args;
        if (isMadeFor(key, request))
          this.#patterns.set(signal, {
            request,
            key,
            until: performance.now() + FRESH_MS,
            send: async (other) => (await next({ ...args, request: other })).output,
          });
        return await next(args);
      };
    command.middlewareStack.addRelativeTo(learning, {
      name: 'learnToReadAlike',
      relation: 'before',
      toMiddleware: 'httpSigningMiddleware',
    });
  }
}

async function alike({ request, key: known, send }: Pattern, key: string, range: string) {
  const path = request.path.slice(0, -known.length) + key;
  return await send({ ...request, path, headers: { ...request.headers, range } });
}

function isMadeFor(key: string, request: unknown): request is Pattern['request'] {
  if (typeof request !== 'object' || request === null || !('path' in request) || !('headers' in request)) return false;
  const { path, headers } = request;
  return typeof path === 'string' && path.endsWith(`/${key}`) && typeof headers === 'object';
}
