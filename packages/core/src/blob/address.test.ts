import { describe, expect, it } from 'vitest';
import { checkStorageAddress, redactAddress, storageIdentity } from './address.ts';

function errorOf(address: string): { code?: string; message?: string; nearest?: string; hint?: string } {
  try {
    checkStorageAddress(address);
  } catch (error) {
    return Object(error);
  }
  return {};
}

describe('checkStorageAddress', () => {
  it('takes paths and every scheme', () => {
    expect(checkStorageAddress('/srv/models')).toBeUndefined();
    expect(checkStorageAddress('C:\\models')).toBeUndefined();
    for (const address of [
      'file:///srv',
      'S3://b',
      's3://b/p?region=x',
      'gs://b',
      'az://c/p',
      'sftp://u@h:22/p',
      'https://h',
    ])
      expect(checkStorageAddress(address)?.scheme).toBe(address.split(':')[0]?.toLowerCase());
  });

  it('names the nearest scheme, or what other tools call the same storage', () => {
    expect(errorOf('ss3://bucket/team')).toMatchObject({ code: 'usage', nearest: 's3://bucket/team' });
    expect(errorOf('gcs://bucket')).toMatchObject({ code: 'usage', nearest: 'gs://bucket' });
    expect(errorOf('abfss://container')).toMatchObject({ nearest: 'az://container' });
    expect(errorOf('ftp://host/x')).toMatchObject({ code: 'usage', hint: expect.stringContaining('webdavs://') });
  });

  it('says what is missing', () => {
    expect(errorOf(' ')).toMatchObject({ code: 'usage', message: 'the storage address is empty' });
    expect(errorOf('s3://').message).toBe(
      '"s3://" is not an address of Amazon S3 and compatibles: a bucket follows the slashes, as in s3://bucket/team',
    );
    expect(errorOf('s3:///team').message).toMatch(/a bucket follows/);
    expect(errorOf('sftp://user@/x').message).toMatch(/a host follows/);
    expect(errorOf('s3:bucket').message).toMatch(/two slashes follow the scheme/);
  });

  it('refuses credentials in the address of a cloud, without repeating them', () => {
    expect(errorOf('s3://AKIA:hunter2@bucket/x').message).toBe(
      '"s3://***@bucket/x": credentials of Amazon S3 and compatibles do not stand in the address',
    );
  });

  it('never repeats a password', () => {
    for (const address of [
      'ss3://key:hunter2@bucket',
      'webdav://me:hunter2@/x',
      'az://?sig=hunter2',
      'aws://b?token=hunter2',
    ])
      expect(JSON.stringify(errorOf(address), ['message', 'nearest', 'hint'])).not.toContain('hunter2');
  });
});

describe('redactAddress', () => {
  it('hides users, passwords and signatures, and leaves the rest alone', () => {
    expect(redactAddress('https://me:hunter2@host/x?token=abc&y=1')).toBe('https://***@host/x?token=***&y=1');
    expect(redactAddress('sftp://ana@host/x and webdavs://me:hunter2@host')).toBe(
      'sftp://ana@host/x and webdavs://me:***@host',
    );
    expect(redactAddress('/plain/path')).toBe('/plain/path');
  });
});

describe('storageIdentity', () => {
  it('is one for spellings of one store, and holds no secret', () => {
    const spelt = ['s3://models/team', 's3://Models/team/', 's3://models/team?token=x'];
    expect(new Set(spelt.map((address) => storageIdentity(address, {})))).toEqual(new Set(['s3://models/team']));
    expect(storageIdentity('sftp://me:hunter2@host:22/x', {})).toBe('sftp://me@host:22/x');
    const connection = 'AccountName=a;AccountKey=hunter2;BlobEndpoint=http://h/a';
    expect(storageIdentity('az://c', { AZURE_STORAGE_CONNECTION_STRING: connection })).toBe(
      'az://c at AccountName=a;BlobEndpoint=http://h/a',
    );
  });

  it('tells buckets of one name at two services apart', () => {
    const here = storageIdentity('s3://models', { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' });
    expect(here).not.toBe(storageIdentity('s3://models', {}));
    expect(storageIdentity('s3://models?endpoint=http://a', {})).not.toBe(
      storageIdentity('s3://models?endpoint=http://b', {}),
    );
  });
});
