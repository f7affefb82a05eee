import { describe, expect, it } from 'vitest';
import { STORAGE_SCHEMES } from './address.ts';
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
