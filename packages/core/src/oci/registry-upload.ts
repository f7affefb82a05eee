/**
 * Sending one blob: in one request where it is small, else in parts that go on where the connection was cut. The registry
 * says where the next part goes, how long parts have to be, and how much it has. Source: distribution-spec, "Push".
 */

import type { HttpReply } from '../blob/http/client.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { BodyCursor } from './body-cursor.ts';
import type { BlobPut, OciDigest, OciOptions } from './oci-place.ts';
import type { RegistryClient, RegistryRequest } from './registry-client.ts';

/** A blob of more bytes is sent so that it can go on after a cut. */
const ONE_REQUEST_BYTES = 8 * 1024 * 1024;
/** How long parts are where something on the way refuses longer ones. */
const SMALL_PART_BYTES = 8 * 1024 * 1024;
/** A part need not be shorter than it has to be, but nobody may ask for more at once than this. */
const MAX_MIN_PART_BYTES = 1024 * 1024 * 1024;

/** What is sent. */
export interface Upload {
  readonly sizeBytes: number;
  /** Opens the bytes; again for another attempt. */
  open(): AsyncIterable<Uint8Array>;
  /** Default: known when the bytes have gone by. */
  readonly digest?: OciDigest;
  /** Another repository that may lend it. */
  readonly from?: string | undefined;
}

/** Where an upload goes on. */
interface Session {
  readonly url: URL;
  readonly minPartBytes: number;
}

/**
 * Sends a blob.
 * @throws IngotError `integrity` when the bytes are others, `unauthenticated`, `forbidden`, `unavailable`; what the body throws.
 */
export async function uploadBlob(
  client: RegistryClient,
  upload: Upload,
  options: OciOptions = {},
): Promise<{ readonly digest: OciDigest; readonly put: BlobPut }> {
  await using sender = new Sender(client, upload, options);
  return await sender.send();
}

class Sender implements AsyncDisposable {
  readonly #client: RegistryClient;
  readonly #upload: Upload;
  readonly #options: OciOptions;
  readonly #cursor: BodyCursor;
  #session: Session | undefined;
  #offset = 0;
  #partBytes = Number.POSITIVE_INFINITY;

  constructor(client: RegistryClient, upload: Upload, options: OciOptions) {
    this.#client = client;
    this.#upload = upload;
    this.#options = options;
    this.#cursor = new BodyCursor(upload);
  }

  async send(): Promise<{ readonly digest: OciDigest; readonly put: BlobPut }> {
    const course = this.#client.patience.course(this.#options.signal);
    for (let reached = 0; ; ) {
      try {
        return await this.#attempt();
      } catch (error) {
        await this.#refuseOwn();
        if (!this.#canGoOn(error)) await course.failed(error);
        await this.#lookUp();
        if (this.#offset > reached) course.progressed();
        reached = Math.max(reached, this.#offset);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cursor.close();
  }

  async #attempt(): Promise<{ readonly digest: OciDigest; readonly put: BlobPut }> {
    const { sizeBytes, digest } = this.#upload;
    this.#session ??= await this.#begin();
    const session = this.#session;
    if (session === undefined && digest !== undefined) return { digest, put: 'mounted' };
    if (session === undefined) throw new IngotError('unexpected', 'a blob without a digest was lent');
    if (
      digest !== undefined &&
      sizeBytes <= Math.min(ONE_REQUEST_BYTES, this.#partBytes) &&
      session.minPartBytes === 0
    ) {
      this.#offset = 0;
      return await this.#end(session, digest, 0);
    }
    while (this.#offset < sizeBytes) await this.#part();
    const found = await this.#cursor.finish();
    return await this.#end(this.#session ?? session, digest ?? found, sizeBytes);
  }

  /** Begins an upload; undefined when the blob was lent. */
  async #begin(): Promise<Session | undefined> {
    const { digest, from } = this.#upload;
    this.#offset = 0;
    const isLent = from !== undefined && from !== this.#client.name && digest !== undefined;
    const query = isLent ? `?${new URLSearchParams({ mount: digest, from })}` : '';
    const reply = await this.#expect(
      { method: 'POST', at: `blobs/uploads/${query}`, from: isLent ? from : undefined },
      201,
      202,
    );
    await reply.discard();
    if (reply.status === 201 && isLent) return undefined;
    return this.#sessionOf(reply);
  }

  /** Sends the next part: all that is left, as far as nobody asked for less. */
  async #part(): Promise<void> {
    const session = this.#session ?? this.#lost();
    const { sizeBytes } = this.#upload;
    const start = this.#offset;
    const end = Math.min(sizeBytes, start + Math.max(this.#partBytes, session.minPartBytes));
    const headers = { ...BYTES, 'content-range': `${start}-${end - 1}` };
    const body = this.#counted(start, end - start);
    const reply = await this.#expect({ method: 'PATCH', at: session.url, headers, body }, 202, 204);
    await reply.discard();
    this.#session = this.#sessionOf(reply, session);
    this.#offset = endOf(reply.headers.range) ?? end;
    if (this.#offset > end || this.#offset <= start)
      throw new IngotError('unavailable', `${this.#client.repository} lost what it was sent`, {
        operation: 'oci.push',
      });
  }

  async #end(
    session: Session,
    digest: OciDigest,
    sent: number,
  ): Promise<{ readonly digest: OciDigest; readonly put: BlobPut }> {
    const url = new URL(session.url);
    url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
    const { sizeBytes } = this.#upload;
    const body = this.#counted(sent, sizeBytes - sent);
    const reply = await this.#expect({ method: 'PUT', at: url, headers: BYTES, body }, 201, 204);
    await reply.discard();
    return { digest, put: 'created' };
  }

  /** Asks how much the registry has; begins anew where it knows nothing of the upload any more. */
  async #lookUp(): Promise<void> {
    const session = this.#session;
    this.#offset = 0;
    if (session === undefined) return;
    this.#session = undefined;
    try {
      const reply = await this.#send({ method: 'GET', at: session.url });
      await reply.discard();
      if (reply.status !== 204 && reply.status !== 200) return;
      this.#session = this.#sessionOf(reply, session);
      const has = endOf(reply.headers.range) ?? 0;
      // One byte and none are told alike.
      if (has > 1 && has <= this.#upload.sizeBytes) this.#offset = has;
      else this.#session = undefined;
    } catch (error) {
      // It is away: the next attempt begins anew, and tells.
      if (!isIngotError(error, 'unavailable', 'overloaded', 'not-found')) throw error;
    }
  }

  // A registry that forgot the upload, or got out of step, is asked where it stands; one that finds parts too long gets shorter ones.
  #canGoOn(error: unknown): boolean {
    if (!isIngotError(error)) return false;
    const { status } = error.details;
    if (status === 413 && this.#partBytes > SMALL_PART_BYTES) {
      this.#partBytes = SMALL_PART_BYTES;
      return true;
    }
    const isLost = (status === 404 || status === 416) && this.#session !== undefined && !this.#wasLost;
    if (isLost) this.#wasLost = true;
    return isLost;
  }
  #wasLost = false;

  /** What was wrong with the bytes themselves is told, and the registry need not keep what it has of them. */
  async #refuseOwn(): Promise<void> {
    const { failure } = this.#cursor;
    const isOver = failure !== undefined || this.#options.signal?.aborted === true;
    if (!isOver) return;
    const session = this.#session;
    if (session !== undefined && failure !== undefined)
      await this.#send({ method: 'DELETE', at: session.url })
        .then((reply) => reply.discard())
        .catch(() => undefined);
    if (failure !== undefined) throw failure.cause;
  }

  #counted(start: number, sizeBytes: number) {
    const part = this.#cursor.part(start, sizeBytes);
    const { onProgress } = this.#options;
    if (onProgress === undefined) return part;
    const { digest, sizeBytes: totalBytes } = this.#upload;
    async function* counted(): AsyncGenerator<Uint8Array> {
      let doneBytes = start;
      for await (const piece of part.open()) {
        doneBytes += piece.byteLength;
        yield piece;
        onProgress?.({ phase: 'store', path: digest ?? 'new blob', doneBytes, totalBytes });
      }
    }
    return { sizeBytes, open: counted };
  }

  #sessionOf(reply: HttpReply, before?: Session): Session {
    const { location } = reply.headers;
    const minimum = Number(reply.headers['oci-chunk-min-length'] ?? before?.minPartBytes ?? 0);
    const base = before?.url ?? this.#client.urlOf('blobs/uploads/');
    if (location === undefined ? before === undefined : !URL.canParse(location, base.href)) throw this.#lost();
    const url = location === undefined ? base : new URL(location, base);
    const isWhole = Number.isSafeInteger(minimum) && minimum > 0;
    return { url, minPartBytes: isWhole ? Math.min(minimum, MAX_MIN_PART_BYTES) : 0 };
  }

  #lost(): never {
    throw new IngotError('unavailable', `${this.#client.repository} does not say where the blob is to be sent`, {
      operation: 'oci.push',
    });
  }

  #send(request: Omit<RegistryRequest, 'what' | 'writes' | 'signal'>): Promise<HttpReply> {
    return this.#client.send(this.#asked(request));
  }

  #expect(
    request: Omit<RegistryRequest, 'what' | 'writes' | 'signal'>,
    ...statuses: readonly number[]
  ): Promise<HttpReply> {
    return this.#client.expect(this.#asked(request), ...statuses);
  }

  #asked(request: Omit<RegistryRequest, 'what' | 'writes' | 'signal'>): RegistryRequest {
    const { digest } = this.#upload;
    const what = digest === undefined ? 'a new blob' : `the blob ${digest}`;
    return { ...request, what, writes: true, signal: this.#options.signal };
  }
}

const BYTES = { 'content-type': 'application/octet-stream' } as const;

/** `0-499`: 500 bytes are there. */
function endOf(range: string | undefined): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(range ?? '') ?? [];
  return last === undefined ? undefined : Number(last) + 1;
}
