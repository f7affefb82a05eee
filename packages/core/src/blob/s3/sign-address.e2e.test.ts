import { describe, expect, it } from 'vitest';
import { needServer } from '../../../test/servers/need-server.ts';
import { startVersitygw } from '../../../test/servers/versitygw.ts';
import { bodyOf, collect } from '../bytes.ts';
import { openS3BlobStore } from '../s3.ts';

await needServer(
  'versitygw',
  () => startVersitygw({ versioning: false }),
  (server) =>
    describe('an address that a bucket has signed', () => {
      const send = (
        method: string,
        address: { url: string; headers: Readonly<Record<string, string>> },
        body?: string,
      ) => fetch(address.url, { method, headers: address.headers, ...(body !== undefined && { body }) });

      async function signed(use: 'read' | 'create', key: string, sizeBytes?: number) {
        const blobs = await openS3BlobStore(server.address, { env: server.env });
        const address = await blobs.signed?.(key, { use, expiresInSeconds: 60, ...(sizeBytes && { sizeBytes }) });
        if (address === undefined) throw new Error('nothing was signed');
        return { blobs, address };
      }

      it('creates one blob, once, with exactly the bytes that were announced', async () => {
        const key = `packs/created-${process.pid}/0.pack`;
        const { blobs, address } = await signed('create', key, 5);
        expect((await send('PUT', address, 'hello')).status).toBe(200);
        expect(await collect(blobs.read(key))).toEqual(Buffer.from('hello'));
        expect((await send('PUT', address, 'other')).status).toBe(412);
        expect(await collect(blobs.read(key))).toEqual(Buffer.from('hello'));
      });

      it('does not create what has another length, or without its condition', async () => {
        const key = `packs/refused-${process.pid}/0.pack`;
        const { blobs, address } = await signed('create', key, 5);
        expect((await send('PUT', address, 'longer than announced')).status).toBe(403);
        expect((await send('PUT', { ...address, headers: {} }, 'hello')).status).toBe(403);
        expect(await blobs.stat(key)).toBeUndefined();
      });

      it('reads any range of one blob, and nothing else', async () => {
        const key = `packs/read-${process.pid}/0.pack`;
        const { blobs, address } = await signed('read', key);
        await blobs.write(key, bodyOf('0123456789'));
        const part = await fetch(address.url, { headers: { range: 'bytes=2-4' } });
        expect([part.status, await part.text()]).toEqual([206, '234']);
        expect((await send('PUT', address, 'hello')).status).toBe(403);
        expect((await fetch(address.url.replace('/0.pack', '/1.pack'))).status).toBe(403);
      });
    }),
);
