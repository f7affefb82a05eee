import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

/** An answer, byte for byte. */
export interface RawReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What a request is sent with. */
export interface RawRequest {
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Sent piece by piece, without its length unless a header says it. */
  readonly body?: Iterable<Uint8Array>;
  /** Breaks the connection when all of the body is sent, instead of ending it. */
  readonly breaks?: boolean;
}

/** Sends a request as it is said and reads the whole answer; undefined when the connection was broken. */
export async function raw(method: string, url: string, options: RawRequest = {}): Promise<RawReply | undefined> {
  const { headers = {}, body, breaks = false } = options;
  const sent = request(url, { method, headers: { ...headers }, agent: false });
  const failed = once(sent, 'error');
  const answered = once(sent, 'response');
  answered.catch(() => {});
  for (const piece of body ?? []) await new Promise<void>((resolve) => sent.write(piece, () => resolve()));
  if (breaks) {
    // Written is not yet read by the other end.
    await new Promise((resolve) => setTimeout(resolve, 200));
    sent.destroy();
    failed.catch(() => {});
    return undefined;
  }
  sent.end();
  const first = await Promise.race([answered, failed]);
  failed.catch(() => {});
  const reply: IncomingMessage | Error = first[0];
  if (reply instanceof Error) throw reply;
  const pieces: Buffer[] = [];
  for await (const piece of reply) pieces.push(piece);
  return { status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(pieces) };
}

/** The digest of bytes, as clients write it. */
export function digestOf(bytes: Uint8Array, algorithm: 'sha256' | 'sha512' = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** Bytes in pieces, as they come over a line. */
export function* inPieces(bytes: Uint8Array, size = 64 * 1024): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}
