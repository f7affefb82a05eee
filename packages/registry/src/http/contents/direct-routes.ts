import { IngotError } from '@ingot/core/errors';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Identity } from '../../access/identity.ts';
import { knownBlob, notThere } from '../../contents/blob-access.ts';
import { MAX_PACK_BYTES } from '../../contents/pack-intake.ts';
import type { ServedContents } from '../../contents/served-contents.ts';
import type { Services } from '../../services.ts';

const EXPIRES_SECONDS = 900;

const asked = z.discriminatedUnion('method', [
  z.object({ key: z.string().max(300), method: z.literal('GET') }),
  z.object({ key: z.string().max(300), method: z.literal('PUT'), sizeBytes: z.int().min(1).max(MAX_PACK_BYTES) }),
]);

/**
 * The route by which a client gets an address of the storage itself, good for a quarter of an hour; an empty answer
 * where the storage signs none. What is written so is looked at before it becomes part of a version.
 */
export function directRoutes(app: FastifyInstance, { store }: Services, contents: ServedContents): void {
  app.post('/api/v1/direct', { config: { access: { handler: 'checks' } } }, async (request) => {
    const { data } = asked.safeParse(request.body);
    if (data === undefined) throw new IngotError('invalid-request', 'an address is for a key, a method and a size');
    const blob = knownBlob(data.key);
    if (blob?.kind !== 'pack' || blob.moved) throw notThere(data.key);
    if (store.blobs.signed === undefined) return {};
    const { identity } = request;
    if (data.method === 'GET') {
      const { reach } = await contents.access.checkRead(identity, data.key);
      // The storage would hand out all of it.
      if (reach !== 'all') return { throughServer: true };
    } else await noteUnchecked(contents, identity, blob);
    const address = await store.blobs.signed(data.key, {
      use: data.method === 'GET' ? 'read' : 'create',
      expiresInSeconds: EXPIRES_SECONDS,
      ...(data.method === 'PUT' && { sizeBytes: data.sizeBytes }),
    });
    return address === undefined ? {} : { ...address, expiresInSeconds: EXPIRES_SECONDS };
  });
}

async function noteUnchecked(
  { access, uploads, tables }: ServedContents,
  identity: Identity,
  { pack, upload }: { readonly pack: string; readonly upload: string },
): Promise<void> {
  if (!(await uploads.isOwn(upload, identity))) {
    await access.checkUploader(identity);
    await uploads.claim(upload, identity);
  }
  await tables
    .insertInto('unchecked_packs')
    .values({ pack, upload })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
