/** Holds the policies of s3.md to a server that enforces them: each role does its work, and nothing more. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { beforeAll, expect, it } from 'vitest';
import { buildOnce } from '../../conformance/cli/build-once.ts';
import { runIngot, workDirectory } from '../../conformance/cli/run-case.ts';
import { openBlobStore } from '../../packages/core/src/blob/open.ts';
import { needServer } from '../../packages/core/test/servers/need-server.ts';
import { startVersitygw } from '../../packages/core/test/servers/versitygw.ts';
import { testServer } from '../../scripts/lib/servers/test-servers.mjs';

interface Statement {
  readonly Condition?: unknown;
}

const ROLES = ['Reader', 'Pusher', 'Collector'] as const;
const SECRET = 'a-secret-of-forty-characters-or-so-000000';

function statementsOf(role: string): readonly Statement[] {
  const page = readFileSync(new URL('s3.md', import.meta.url), 'utf8');
  const block = new RegExp(`^### ${role}:[\\s\\S]*?\`\`\`json\\n([\\s\\S]*?)\`\`\``, 'm').exec(page)?.[1];
  if (block === undefined) throw new Error(`s3.md has no policy for ${role}`);
  return JSON.parse(block).Statement;
}

beforeAll(buildOnce);

await needServer('versitygw', startVersitygw, (server) => {
  it('each role of s3.md can do its work and nothing more', { timeout: 120_000 }, async () => {
    const endpoint = server.env.AWS_ENDPOINT_URL ?? '';
    const binary = await testServer('versitygw');
    const admin = ['admin', '--access', 'akey', '--secret', 'skeyskey', '--endpoint-url', endpoint, 'create-user'];
    for (const role of ROLES)
      await promisify(execFile)(binary, [...admin, '--access', role, '--secret', SECRET, '--role', 'user']);
    // The policies of users become one of the bucket; the server knows no condition keys.
    const Statement = ROLES.flatMap((role) =>
      statementsOf(role).map(({ Condition: _, ...statement }, index) => ({
        ...statement,
        Sid: `${role}${index}`,
        Principal: { AWS: [role] },
      })),
    );
    const root = new S3Client({
      endpoint,
      forcePathStyle: true,
      region: 'us-east-1',
      credentials: { accessKeyId: 'akey', secretAccessKey: 'skeyskey' },
    });
    await root.send(
      new PutBucketPolicyCommand({ Bucket: 'models', Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
    );
    root.destroy();

    using work = workDirectory({ 'model/weights.bin': 'first', 'waste/weights.bin': 'waste' });
    const environmentOf = (role: string) => ({
      AWS_ACCESS_KEY_ID: role,
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      INGOT_REGISTRY: 's3://models/team',
    });
    const as = async (role: string, ...words: string[]) => {
      const { status, stderr } = await runIngot(words, { cwd: work.path, env: environmentOf(role) });
      return { status, stderr };
    };
    expect(await as('Reader', 'push', 'model')).toMatchObject({ status: 4 });
    expect(await as('Pusher', 'push', 'model', '--alias', 'production')).toMatchObject({ status: 0 });
    expect(await as('Pusher', 'promote', 'model:1', 'canary')).toMatchObject({ status: 0 });
    expect(await as('Reader', 'pull', 'model@canary', '-o', 'out')).toMatchObject({ status: 0 });
    expect(await as('Reader', 'check')).toMatchObject({ status: 0 });
    expect(await as('Reader', 'alias', 'set', 'model', 'mine', 'model:1')).toMatchObject({ status: 4 });
    expect(await as('Pusher', 'push', 'waste')).toMatchObject({ status: 0 });
    expect(await as('Pusher', 'rm', 'waste', '--yes')).toMatchObject({ status: 0 });
    expect(await as('Pusher', 'gc', '--grace', '0s')).toMatchObject({ status: 4 });
    expect(await as('Collector', 'gc', '--grace', '0s')).toMatchObject({ status: 0 });

    const pushers = await openBlobStore('s3://models/team', { env: environmentOf('Pusher') });
    for await (const { key } of pushers.list('')) {
      if (/^(?:roots|changes)\//.test(key)) continue;
      await expect(pushers.delete(key), key).rejects.toMatchObject({ code: 'forbidden' });
    }
  });
});
