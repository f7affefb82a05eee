import type { BlobEntry } from '@ingot/core/blob/blob-store';
import { bodyOf, collect } from '@ingot/core/blob/bytes';
import { movedKey, parseMoved } from '@ingot/core/content/sweep/moved';
import { IngotError } from '@ingot/core/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type BodyPace, DEFAULT_PACE, inPace } from '../../contents/body-pace.ts';
import { BodyReader } from '../../contents/body-reader.ts';
import { onlySpans } from '../../contents/byte-spans.ts';
import { type KnownBlob, knownBlob, notThere } from '../../contents/blob-access.ts';
import { MAX_PACK_BYTES } from '../../contents/pack-intake.ts';
import type { ServedContents } from '../../contents/served-contents.ts';
import type { Services } from '../../services.ts';
import { requestSignal } from './request-signal.ts';
import { sendRange } from './send-range.ts';

const MAX_ROOT_BYTES = 16 * 1024 * 1024;
const PAGE = 1000;
const NOTED_MS = 5000;
const LISTABLE = /^(?:gc\/|packs\/[a-z0-9][a-z0-9-]{0,63}\/|roots\/uploads\/[a-z0-9][a-z0-9-]{0,63}\/)$/;

const listQuery = z.object({ prefix: z.string().max(200), after: z.string().max(300).optional() });

/** Routes by which clients read and write blobs of the store, as far as they may. */
export function blobRoutes(app: FastifyInstance, services: Services, contents: ServedContents): void {
  const config = { access: { handler: 'checks' } } as const;
  const { blobs } = services.store;
  void app.register(async (inner) => {
    inner.removeAllContentTypeParsers();
    inner.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

    inner.get('/api/v1/blobs', { config }, async (request) => {
      const { prefix, after } = parsed(listQuery, request.query);
      if (!LISTABLE.test(prefix)) throw notThere(prefix);
      const found: BlobEntry[] = [];
      const options = { signal: requestSignal(request), ...(after && { after }) };
      for await (const entry of blobs.list(prefix, options)) {
        if (await isReadable(contents, request, entry.key)) found.push(entry);
        if (found.length === PAGE) break;
      }
      const next = found.length === PAGE ? found.at(-1)?.key : undefined;
      return { blobs: found.map(plainEntry), ...(next && { next }) };
    });

    const sent = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const key = keyOf(request);
      const { blob, reach } = await contents.access.checkRead(request.identity, key);
      const signal = requestSignal(request);
      const stat = await blobs.stat(key, { signal });
      if (stat === undefined) throw notThere(key);
      if (blob.kind === 'pack' && blob.moved) await noteMoved(services, contents, blob.pack, signal);
      reply.header('last-modified', stat.modifiedAt.toUTCString()).header('cache-control', 'private, no-store');
      return sendRange(request, reply, {
        sizeBytes: stat.sizeBytes,
        open: (range) => {
          const bytes = blobs.read(key, { signal, ...(range && { range }) });
          const isPartly = blob.kind === 'pack' && !blob.moved && reach !== 'all';
          return isPartly ? onlySpans(bytes, reach, range?.start ?? 0) : bytes;
        },
      });
    };
    // Not the framework's own HEAD, which says that an answer without a body has no bytes.
    inner.get('/api/v1/blobs/*', { config, exposeHeadRoute: false }, sent);
    inner.head('/api/v1/blobs/*', { config }, sent);

    inner.put('/api/v1/blobs/*', { config, bodyLimit: MAX_PACK_BYTES }, async (request, reply) => {
      const key = keyOf(request);
      const result = await written(services, contents, request, key).catch((error: unknown) => {
        // Nobody reads the rest of a body that was refused.
        if (!request.raw.complete) reply.header('connection', 'close');
        throw error;
      });
      if (result === 'exists')
        throw new IngotError('precondition-failed', `there is already a blob "${key}"`, { details: { key } });
      return reply.status(201).send();
    });

    inner.delete('/api/v1/blobs/*', { config }, async (request, reply) => {
      const key = keyOf(request);
      const blob = knownBlob(key);
      if (blob === undefined || !('upload' in blob) || (blob.kind === 'pack' && blob.moved)) throw notThere(key);
      await contents.uploads.requireOwn(blob.upload, request.identity);
      if (blob.kind === 'pack' && (await isReliedOn(contents, blob)))
        throw new IngotError('forbidden', `versions rely on pack ${blob.pack}`);
      const signal = requestSignal(request);
      await blobs.delete(key, { signal });
      if (blob.kind === 'root' && (await isOver(services, blob.upload, signal)))
        await contents.uploads.release(blob.upload);
      return reply.status(204).send();
    });
  });
}

async function written(
  { store }: Services,
  contents: ServedContents,
  request: FastifyRequest,
  key: string,
): Promise<'created' | 'exists'> {
  const blob = writable(key);
  const sizeBytes = lengthOf(request);
  const signal = requestSignal(request);
  const { identity } = request;
  if (!(await contents.uploads.isOwn(blob.upload, identity))) {
    await contents.access.checkUploader(identity);
    await contents.uploads.claim(blob.upload, identity);
  }
  if (blob.kind === 'pack') {
    const open = (pace: BodyPace): BodyReader => new BodyReader({ request: request.raw, sizeBytes, pace }, 'fail');
    return await contents.intake.take({ pack: blob.pack, sizeBytes, open, signal });
  }
  if (sizeBytes > MAX_ROOT_BYTES) throw new IngotError('payload-too-large', 'a root is at most 16 MiB');
  const bytes = await collect(inPace(bodyStream(request), DEFAULT_PACE));
  await contents.access.checkRoot(identity, blob.upload, bytes);
  return await store.blobs.write(key, bodyOf(bytes), { signal });
}

async function isReliedOn(
  { notes, packs }: ServedContents,
  { pack, upload }: { readonly pack: string; readonly upload: string },
): Promise<boolean> {
  await notes.settled(NOTED_MS);
  return (await packs.homesOf(upload)).length > 0 || (await packs.modelsOf(pack)).length > 0;
}

/** An upload that names nothing any more is published, or given up. */
async function isOver({ store }: Services, upload: string, signal: AbortSignal): Promise<boolean> {
  for await (const _ of store.blobs.list(`roots/uploads/${upload}/`, { signal })) return false;
  return true;
}

/** Whoever may read a pack may read its bytes where they lie now. */
async function noteMoved(
  { store }: Services,
  { packs }: ServedContents,
  pack: string,
  signal: AbortSignal,
): Promise<void> {
  const key = movedKey(pack);
  const { ranges } = parseMoved(await collect(store.blobs.read(key, { signal })), key);
  await packs.noteMoved(pack, ranges);
}

function writable(key: string): Extract<KnownBlob, { readonly upload: string }> {
  const blob = knownBlob(key);
  if (blob === undefined || !('upload' in blob) || (blob.kind === 'pack' && blob.moved))
    throw new IngotError('forbidden', `"${key.slice(0, 200)}" is not for clients to write`);
  return blob;
}

async function isReadable(contents: ServedContents, { identity }: FastifyRequest, key: string): Promise<boolean> {
  try {
    await contents.access.checkRead(identity, key);
    return true;
  } catch (error) {
    if (error instanceof IngotError && error.code === 'content-not-found') return false;
    throw error;
  }
}

function keyOf(request: FastifyRequest): string {
  const { '*': key } = parsed(z.object({ '*': z.string().min(1).max(300) }), request.params);
  return key;
}

function lengthOf(request: FastifyRequest): number {
  const length = Number(request.headers['content-length']);
  if (Number.isSafeInteger(length) && length >= 0) return length;
  throw new IngotError('invalid-request', 'the request must say how long its body is', { hint: 'Content-Length' });
}

async function* bodyStream({ raw }: FastifyRequest): AsyncIterable<Uint8Array> {
  try {
    yield* raw satisfies AsyncIterable<Uint8Array>;
  } catch (error) {
    if (!raw.readableAborted) throw error;
    throw new IngotError('interrupted', 'the client went away before all of the body had come', { cause: error });
  }
}

function plainEntry({ key, sizeBytes, modifiedAt }: BlobEntry) {
  return { key, sizeBytes, modifiedAt: modifiedAt.toISOString() };
}

/** Reads what came with a request. Throws `invalid-request` naming the first thing that is wrong. */
function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new IngotError(
    'invalid-request',
    `${issue?.path.join('.') || 'the request'}: ${issue?.message ?? 'is not valid'}`,
  );
}

/** What a reply of this room is sent with. */
export type Reply = FastifyReply;
