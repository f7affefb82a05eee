import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startApache } from '../../test/servers/apache.ts';
import { startAzurite } from '../../test/servers/azurite.ts';
import { startFakeGcs } from '../../test/servers/fake-gcs.ts';
import { startMoto } from '../../test/servers/moto.ts';
import { needServer } from '../../test/servers/need-server.ts';
import { startNginx } from '../../test/servers/nginx.ts';
import { startOpenssh } from '../../test/servers/openssh.ts';
import { startRclone } from '../../test/servers/rclone.ts';
import { startS3rver } from '../../test/servers/s3rver.ts';
import type { TestServer } from '../../test/servers/server.ts';
import { startVersitygw } from '../../test/servers/versitygw.ts';
import { openBlobStore } from './open.ts';
import type { ProbeReport } from './probe.ts';
import { checkTrustworthy, probeStore } from './probe.ts';

async function probe({ address, env }: Pick<TestServer, 'address' | 'env'>): Promise<ProbeReport> {
  const place = `${address.replace(/\/+$/, '')}/probed-${randomBytes(4).toString('hex')}`;
  const open = () => openBlobStore(place, { env: { ...process.env, ...env } });
  const [blobs, other] = [await open(), await open()];
  const id = randomBytes(8).toString('hex');
  const clock = () => performance.now();
  const report = await probeStore(blobs, { id, clock, sleep: (ms) => sleep(ms), others: [other], thorough: true });
  const left: string[] = [];
  for await (const { key } of blobs.list('')) left.push(key);
  expect(left).toEqual([]);
  return report;
}

const HONEST = [
  ['versitygw', startVersitygw],
  ['moto', startMoto],
  ['azurite', startAzurite],
  ['fake-gcs-server', () => startFakeGcs()],
  ['apache', startApache],
  // These two ignore conditions of PUT; moving a collection, which the store does, is safe on them all the same.
  ['nginx', () => startNginx()],
  ['rclone serve webdav', () => startRclone('webdav')],
  ['openssh', startOpenssh],
] as const;

for (const [name, start] of HONEST) {
  await needServer<TestServer>(name, start, (server) => {
    describe(`a probe of ${name}`, () => {
      it('finds everything in order', async () => {
        const report = await probe(server);
        expect(report.findings.filter(({ status }) => status !== 'ok')).toEqual([]);
        expect(Math.abs(Date.now() - (report.storageTime?.getTime() ?? 0))).toBeLessThan(60_000);
      });
    });
  });
}

const LIARS = [
  ['s3rver', startS3rver],
  ['rclone serve sftp', () => startRclone('sftp')],
] as const;

for (const [name, start] of LIARS) {
  await needServer<TestServer>(name, start, (server) => {
    describe(`a probe of ${name}`, () => {
      it('finds that keys are not created once, and refuses to publish there', async () => {
        const report = await probe(server);
        expect(report.findings[0]).toMatchObject({ check: 'create-if-absent', status: 'failed' });
        expect(() => checkTrustworthy(server.address, report)).toThrow(
          /cannot be published to: create-if-absent is not/,
        );
      });
    });
  });
}
