import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startDistribution, DISTRIBUTION_USER } from '../../test/servers/distribution.ts';
import { startFaultyProxy } from '../../test/servers/faulty-proxy.ts';
import { needServer } from '../../test/servers/need-server.ts';
import { bodyOf, collect } from '../blob/bytes.ts';
import { ociDigestOf } from './digest.ts';
import { describeManifest, writeManifest } from './manifest.ts';
import type { Descriptor, OciPlace } from './oci-place.ts';
import type { RegistryOptions } from './registry-client.ts';
import { RegistryPlace } from './registry-place.ts';

const LARGE = randomBytes(24 * 1024 * 1024);

const descriptorOf = (bytes: Uint8Array): Descriptor => ({
  mediaType: 'application/vnd.cncf.model.weight.v1.raw',
  digest: ociDigestOf(bytes),
  size: bytes.byteLength,
});

async function put(place: OciPlace, bytes: Uint8Array): Promise<Descriptor> {
  const descriptor = descriptorOf(bytes);
  await place.putBlob(descriptor, pieces(bytes));
  return descriptor;
}

/** A body in pieces, as a file gives it. */
function pieces(bytes: Uint8Array): () => AsyncIterable<Uint8Array> {
  return async function* () {
    for (let at = 0; at < bytes.byteLength; at += 1024 * 1024) yield bytes.subarray(at, at + 1024 * 1024);
  };
}

async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const at = (port: number, name = 'team/churn', options: Partial<RegistryOptions> = {}) =>
  new RegistryPlace(`127.0.0.1:${port}`, name, { env: {}, ...options });

await needServer(
  'the reference registry',
  () => startDistribution(),
  (server) => {
    describe('a repository of the reference registry', () => {
      it('gives what was put: blobs of all sizes, manifests, tags', async () => {
        const place = at(server.port);
        const layers = [await put(place, LARGE), await put(place, Buffer.alloc(0)), await put(place, Buffer.from('x'))];
        const made = await place.newBlob(LARGE.length, pieces(LARGE));
        expect(made.digest).toBe(layers[0]?.digest);
        const manifest = writeManifest({ config: await put(place, Buffer.from('{}')), layers });
        await place.putManifest(manifest, { tag: '7' });
        await place.putManifest(manifest, { tag: 'production' });
        const again = at(server.port);
        expect((await again.manifest('7')).digest).toBe(manifest.digest);
        expect(Buffer.from((await again.manifest(manifest.digest)).bytes)).toEqual(Buffer.from(manifest.bytes));
        for (const [index, bytes] of [LARGE, Buffer.alloc(0), Buffer.from('x')].entries())
          expect((await collect(again.blob(layers[index] ?? manifestOf()))).equals(bytes)).toBe(true);
        const range = { start: LARGE.length - 5, end: LARGE.length };
        expect(await collect(again.blob(layers[0] ?? manifestOf(), { range }))).toEqual(LARGE.subarray(-5));
        expect(await listed(again.tags())).toEqual(['7', 'production']);
        expect((await again.head('production'))?.digest).toBe(manifest.digest);
        await expect(again.manifest('prodction')).rejects.toMatchObject({
          code: 'not-found',
          nearest: `127.0.0.1:${server.port}/team/churn:production`,
        });
        await expect(at(server.port, 'team/none').manifest('7')).rejects.toThrow(/no repository of this name/);
      });

      it('is lent a blob by another repository, and knows what it has', async () => {
        const blob = await put(at(server.port, 'lender'), randomBytes(1000));
        const borrower = at(server.port, 'borrower');
        const never = () => {
          throw new Error('it was sent');
        };
        expect(await borrower.putBlob(blob, never, { from: 'lender' })).toBe('mounted');
        expect(await borrower.putBlob(blob, never)).toBe('exists');
      });

      it('keeps an index of referrers where the registry keeps none', async () => {
        const place = at(server.port, 'signed');
        const config = await put(place, Buffer.from('{}'));
        const subject = writeManifest({ config, layers: [] });
        await place.putManifest(subject, { tag: '1' });
        const signature = writeManifest({
          config,
          layers: [],
          subject: describeManifest(subject),
          artifactType: 'a/sig',
        });
        await place.putManifest(signature);
        expect(await place.referrers(subject.digest, { artifactType: 'a/sig' })).toMatchObject([
          { digest: signature.digest },
        ]);
        expect(await place.referrers(subject.digest, { artifactType: 'a/other' })).toEqual([]);
      });

      it('refuses bytes that are others, and keeps nothing of them', async () => {
        const place = at(server.port, 'honest');
        const wanted = descriptorOf(LARGE);
        const evil = Buffer.from(LARGE);
        evil[0] = (evil[0] ?? 0) ^ 1;
        await expect(place.putBlob(wanted, pieces(evil))).rejects.toMatchObject({ code: 'integrity' });
        await expect(place.putBlob(wanted, pieces(LARGE.subarray(1)))).rejects.toMatchObject({ code: 'integrity' });
        await expect(place.newBlob(5, bodyOf('more than five').open)).rejects.toMatchObject({ code: 'integrity' });
        expect(await place.hasBlob(wanted.digest)).toBe(false);
      });

      it('goes on where the line was cut, in both directions', async () => {
        await put(at(server.port, 'cut/down'), LARGE);
        const proxy = await startFaultyProxy(server.port);
        try {
          // Every connection ends after so many bytes: without going on, nothing of this size would ever come through.
          proxy.set({ kind: 'cut', direction: 'down', afterBytes: 9_000_000, how: 'reset' });
          const down = at(proxy.port, 'cut/down', QUICK);
          expect((await collect(down.blob(descriptorOf(LARGE)))).equals(LARGE)).toBe(true);
          proxy.set({ kind: 'cut', direction: 'up', afterBytes: 9_000_000, how: 'reset' });
          expect(await at(proxy.port, 'cut/up', QUICK).putBlob(descriptorOf(LARGE), pieces(LARGE))).toBe('created');
          const made = await at(proxy.port, 'cut/new', QUICK).newBlob(LARGE.length, pieces(LARGE));
          expect(made.digest).toBe(ociDigestOf(LARGE));
          proxy.set({ kind: 'none' });
          expect((await collect(at(server.port, 'cut/up').blob(descriptorOf(LARGE)))).equals(LARGE)).toBe(true);
        } finally {
          await proxy.close();
        }
      });

      it('is unavailable when the registry stays away half-way, and says so soon', async () => {
        const proxy = await startFaultyProxy(server.port);
        proxy.set({ kind: 'cut', direction: 'up', afterBytes: 3_000_000, how: 'end' });
        const place = at(proxy.port, 'away', QUICK);
        const closing = place.putBlob(descriptorOf(LARGE), async function* () {
          yield LARGE.subarray(0, 4_000_000);
          await proxy.close();
          yield LARGE.subarray(4_000_000);
        });
        await expect(closing).rejects.toMatchObject({ code: 'unavailable', retryable: true });
      });
    });
  },
);

await needServer(
  'the reference registry with a password',
  () => startDistribution({ auth: 'htpasswd' }),
  (server) => {
    describe('a registry that asks for a name and password', () => {
      it('lets in with them, and says who is not let in and how to be', async () => {
        const blob = await put(at(server.port, 'a', { credential: async () => DISTRIBUTION_USER }), LARGE);
        await expect(collect(at(server.port, 'a').blob(blob))).rejects.toMatchObject({
          code: 'unauthenticated',
          hint: expect.stringContaining(`docker login 127.0.0.1:${server.port}`),
        });
        const wrong = { username: 'ana', password: 'wrong' };
        const failing = at(server.port, 'a', { credential: async () => wrong }).hasBlob(blob.digest);
        await expect(failing).rejects.toMatchObject({ code: 'unauthenticated' });
        await expect(failing).rejects.not.toThrow(/wrong/);
      });
    });
  },
);

await needServer(
  'the reference registry with tokens',
  () => startDistribution({ auth: { tokenSeconds: 1 } }),
  (server) => {
    describe('a registry that asks for tokens', () => {
      it('is shown one for many requests, and a new one when it has ended', async () => {
        const place = at(server.port, 'team/churn', { credential: async () => DISTRIBUTION_USER });
        const blob = await put(place, Buffer.from('small'));
        expect(await place.hasBlob(blob.digest)).toBe(true);
        const before = server.tokens();
        expect(before).toBeLessThanOrEqual(2);
        // Reference registries give a minute of leeway to clocks that differ; the tokens are made to have ended before.
        expect((await collect(place.blob(blob))).toString()).toBe('small');
        await expect(at(server.port).hasBlob(blob.digest)).rejects.toMatchObject({ code: 'unauthenticated' });
      });
    });
  },
);

const QUICK: Partial<RegistryOptions> = { retry: { baseDelayMs: 5, maxDelayMs: 20 } };

function manifestOf(): never {
  throw new Error('a layer is missing');
}
