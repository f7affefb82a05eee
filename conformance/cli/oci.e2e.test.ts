/** Models between registries, layouts and archives of the OCI world, as people bring them there and read them there. */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DISTRIBUTION_USER, startDistribution } from '../../packages/core/test/servers/distribution.ts';
import { needServer } from '../../packages/core/test/servers/need-server.ts';
import { ADDER } from './adder.ts';
import { buildOnce } from './build-once.ts';
import { runIngot, workDirectory } from './run-case.ts';
import { up } from './up.ts';

beforeAll(buildOnce);

function at(cwd: string) {
  const run = (words: readonly string[], env: Record<string, string> = {}) => runIngot(words, { cwd, env });
  return {
    run,
    json: async (words: readonly string[], env: Record<string, string> = {}) => {
      const done = await run([...words, '--json'], env);
      expect(done, done.stderr).toMatchObject({ status: 0 });
      return JSON.parse(done.stdout);
    },
  };
}

describe('a layout on a stick', () => {
  it('takes versions of many models, and is a registry where it is plugged in', async () => {
    using directory = workDirectory({ ...ADDER, 'other/model.h5': 'weights' });
    const { run, json } = at(directory.path);
    await json(['push', 'add', '--alias', 'production', '--metric', 'auc=0.9']);
    await json(['push', 'other', '--name', 'team/other']);
    const { versions } = await json(['export', 'add', 'team/other', '-o', 'oci:usb']);
    expect(versions.map(({ address }: { address: string }) => address)).toEqual([
      `oci:${join(directory.path, 'usb')}:add:1`,
      `oci:${join(directory.path, 'usb')}:team/other:1`,
    ]);
    const stick = { INGOT_REGISTRY: 'oci:usb', INGOT_CACHE: join(directory.path, 'elsewhere') };
    expect((await run(['ls', '--quiet'], stick)).stdout).toBe('add\nteam/other\n');
    const shown = await json(['show', 'add@production'], stick);
    expect(shown.version).toMatchObject({
      number: 1,
      manifest: versions[0].digest,
      metrics: { auc: 0.9 },
      publishedBy: 'ana@laptop',
    });
    await json(['pull', 'add@production', '-o', 'out'], stick);
    expect(existsSync(join(directory.path, 'out/interface.py'))).toBe(true);
    const refused = await run(['push', 'other'], stick);
    expect(refused).toMatchObject({ status: 6, stderr: expect.stringContaining('ingot export') });
    const copy = { INGOT_REGISTRY: join(directory.path, 'copy') };
    expect((await json(['import', 'oci:usb'], copy)).added).toBe(2);
    expect((await json(['import', 'oci:usb'], copy)).added).toBe(0);
  });

  it('names where it is one of several that are meant, and what is wrong with an address', async () => {
    using directory = workDirectory(ADDER);
    const { run, json } = at(directory.path);
    await json(['push', 'add']);
    await json(['export', 'add', '-o', 'oci-archive:add.tar']);
    expect((await json(['show', 'oci-archive:add.tar'])).source).toMatchObject({ model: 'add', number: 1 });
    expect(await run(['pull', 'oci:none'])).toMatchObject({ status: 3 });
    expect(await run(['export', 'add', '-o', 'docker-archive:add.tar'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('ingot bake'),
    });
    expect(await run(['export', 'add', '-o', 'oci:x', '--no-wheels'])).toMatchObject({ status: 2 });
  });
});

await needServer(
  'the reference registry',
  () => startDistribution({ auth: 'htpasswd' }),
  (server) => {
    describe('a foreign registry', () => {
      const secret = { INGOT_OCI_USERNAME: DISTRIBUTION_USER.username, INGOT_OCI_PASSWORD: DISTRIBUTION_USER.password };

      it('is pushed to, and what lies there is shown, pulled and imported with its digest', async () => {
        using directory = workDirectory(ADDER);
        const { run, json } = at(directory.path);
        await json(['push', 'add', '--alias', 'production']);
        const address = `oci://${server.host}/team/add`;
        expect(await run(['export', 'add', '-o', address])).toMatchObject({
          status: 4,
          stderr: expect.stringContaining('docker login'),
        });
        const { versions } = await json(['export', 'add', '-o', address], secret);
        const [{ digest }] = versions;
        const pulled = await json(['pull', `${address}:production`, '-o', 'out'], secret);
        expect(pulled).toMatchObject({ model: 'add', digest, source: { revision: digest } });
        const copy = { ...secret, INGOT_REGISTRY: join(directory.path, 'copy') };
        expect((await json(['import', `${address}@${digest}`, '--name', 'sum'], copy)).added).toBe(1);
        const shown = await json(['show', 'sum'], copy);
        expect(shown.version.lineage.source).toEqual({ address: `${address}@${digest}`, revision: digest });
        expect(await run(['pull', `${address}:prodction`], secret)).toMatchObject({
          status: 3,
          stderr: expect.stringContaining('team/add:production'),
        });
      });
    });
  },
);

describe("Ingot's own registry", () => {
  it('takes what is exported to it as a version, and gives it as a source', async () => {
    using directory = workDirectory(ADDER);
    const { json, run } = at(directory.path);
    await json(['push', 'add']);
    using other = workDirectory({});
    await using server = await up(other.path);
    const { host } = new URL(server.said.url ?? '');
    const { versions } = await json(['export', 'add', '-o', `oci://${host}/team/sum:1`]);
    expect((await json(['pull', `oci://${host}/team/sum:1`, '-o', 'out'])).digest).toBe(versions[0].digest);
    const env = { INGOT_REGISTRY: server.said.url ?? '' };
    expect((await json(['show', 'team/sum:1'], env)).version.manifest).toBe(versions[0].digest);

    // An image of one version is not deployed as another.
    await json(['bake', 'add', '--model-only', '-o', `${host}/images/add:1`]);
    writeFileSync(join(directory.path, 'add/README.md'), '# Two\n');
    await json(['push', 'add', '--alias', 'production']);
    const engine = `registry.invalid/ingot:1@sha256:${'a'.repeat(64)}`;
    const volume = (source: string) =>
      run(['deploy', 'compose', source, '--image', engine, '--model-image', `${host}/images/add:1`]);
    expect(await volume('add:2')).toMatchObject({
      status: 5,
      stderr: expect.stringContaining('holds add:1, and add:2'),
    });
    const moved = await volume('add@production');
    expect([moved.status, moved.stderr]).toEqual([0, expect.stringContaining('add@production is version 2 now')]);
  });
});
