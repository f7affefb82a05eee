import { mkdtemp, chmod, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STORAGE_SCHEMES } from './address.ts';
import { bodyOf } from './bytes.ts';
import { openBlobStore } from './open.ts';

describe('openBlobStore', () => {
  it('opens a path and a file address as the directory', async () => {
    for (const address of ['/srv/models', 'file:///srv/models']) {
      const blobs = await openBlobStore(address, { env: {} });
      expect(blobs.address).toBe('/srv/models');
      expect(blobs.capabilities.localFiles).toBe(true);
    }
  });

  it('takes a directory for a network share when told so, and finds out by itself otherwise', async () => {
    const capabilitiesOf = async (env: Record<string, string>) =>
      (await openBlobStore('/dev/shm/not/there', { env })).capabilities;
    expect(await capabilitiesOf({})).toMatchObject({ createIfAbsent: 'yes', stalenessMs: 0 });
    expect(await capabilitiesOf({ INGOT_SHARE: 'yes' })).toMatchObject({
      createIfAbsent: 'unverified',
      stalenessMs: 60_000,
    });
    await expect(capabilitiesOf({ INGOT_SHARE: 'perhaps' })).rejects.toMatchObject({ code: 'invalid-config' });
    await expect(capabilitiesOf({ INGOT_SHARED: 'all' })).rejects.toMatchObject({ code: 'invalid-config' });
  });

  it('writes for the group into a directory that was made for one, unless told otherwise', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ingot-open-'));
    const modeOf = async (key: string, env: Record<string, string>) => {
      await (await openBlobStore(directory, { env })).write(key, bodyOf('x'));
      return (await stat(join(directory, key))).mode & 0o777;
    };
    expect(await modeOf('mine', {})).toBe(0o600);
    await chmod(directory, 0o2770);
    expect(await modeOf('ours', {})).toBe(0o660);
    expect(await modeOf('still-mine', { INGOT_SHARED: 'private' })).toBe(0o600);
    await rm(directory, { recursive: true });
  });

  it('opens an address of every scheme without asking anybody, and shows no secret of it', async () => {
    const env = { INGOT_SFTP_PASSWORD: 'hunter2', AZURE_STORAGE_ACCOUNT: 'team', AZURE_STORAGE_KEY: 'aHVudGVyMg==' };
    for (const { example } of STORAGE_SCHEMES) {
      const blobs = await openBlobStore(example, { env });
      expect(blobs.address).toContain(example.replace(/^file:\/\//, '').replace(/\/$/, ''));
      expect(blobs.address).not.toMatch(/hunter2/);
    }
  });

  it('names a number of retries that is none', async () => {
    const opening = openBlobStore('s3://models', { env: { INGOT_RETRIES: 'many', AWS_REGION: 'eu-central-1' } });
    await expect(opening).rejects.toMatchObject({ code: 'invalid-config', message: expect.stringContaining('many') });
  });
});
