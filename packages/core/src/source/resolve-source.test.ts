import { mkdtemp, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bodyOf } from '../blob/bytes.ts';
import type { BlobStore } from '../blob/blob-store.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { IngotError } from '../errors.ts';
import { blobPlace } from './blob-place.ts';
import { localPlace } from './local-place.ts';
import { parsePlainAddress } from './plain-address.ts';
import { matchesOf, resolveSource } from './resolve-source.ts';

const made: string[] = [];
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

/** A directory with these files; names ending in `@TIME` get that modification time. */
async function directoryOf(...files: string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'ingot-source-'));
  made.push(root);
  for (const [index, file] of files.entries()) {
    const [name = '', time] = file.split('@');
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), name);
    const at = time === undefined ? new Date(Date.UTC(2020, 0, 1 + index)) : new Date(time);
    await utimes(join(root, name), at, at);
  }
  return root;
}

async function bucketOf(...keys: string[]): Promise<BlobStore> {
  const blobs = createMemoryBlobStore();
  for (const key of keys) await blobs.write(key, bodyOf(key));
  return blobs;
}

async function resolveIn(root: string, rest: string) {
  const address = parsePlainAddress(`${root}/${rest}`, { cwd: '/' });
  return await resolveSource(address, localPlace(address.root));
}

/** A bucket opened at an address's root, as a storage's client opens it. */
async function inBucket(blobs: BlobStore, text: string) {
  const address = parsePlainAddress(text, { cwd: '/' });
  const prefix = address.root.replace(/^s3:\/\/[^/]*\/?/, '').replace(/(.)$/, '$1/');
  const rooted: BlobStore = {
    ...blobs,
    stat: (key) => blobs.stat(prefix + key),
    list: async function* (start, { after, ...options } = {}) {
      const from = after === undefined ? {} : { after: prefix + after };
      for await (const blob of blobs.list(prefix + start, { ...options, ...from }))
        yield { ...blob, key: blob.key.slice(prefix.length) };
    },
  };
  return await resolveSource(address, blobPlace(rooted));
}

describe('resolveSource picks the newest', () => {
  it.each([
    ['m_v*.pkl', ['m_v1.9.pkl', 'm_v1.10.pkl', 'm_v1.2.pkl'], 'm_v1.10.pkl', 'version', '1.10'],
    ['m_v*.pkl', ['m_v2.pkl', 'm_v2-rc1.pkl', 'm_v1.pkl'], 'm_v2.pkl', 'version', '2'],
    ['m_v*.pkl', ['m_v3.pkl', 'm_vocab.pkl'], 'm_v3.pkl', 'only', '3'],
    ['m_v*', ['m_v1.pkl', 'm_v2.joblib'], 'm_v2.joblib', 'version', '2'],
    ['m_v*.pkl', ['m_v1.2.pkl', 'm_v1.2_scaler.pkl'], 'm_v1.2.pkl', 'only', '1.2'],
    ['m_v1.?.pkl', ['m_v1.2.pkl', 'm_v1.9.pkl'], 'm_v1.9.pkl', 'version', '1.9'],
    ['model*.pkl', ['model2.pkl', 'model10.pkl', 'model.pkl'], 'model10.pkl', 'version', '10'],
    [
      'f_*.joblib',
      ['f_2024-01-31.joblib', 'f_20240201.joblib', 'f_2023W52.joblib'],
      'f_20240201.joblib',
      'date',
      '2024-02-01',
    ],
    [
      'f_*.joblib',
      ['f_2024-01-31T1200.joblib', 'f_2024-01-31T0900.joblib'],
      'f_2024-01-31T1200.joblib',
      'date',
      '2024-01-31T1200',
    ],
    ['f_*.pkl', ['f_31-01-2024.pkl', 'f_02-03-2024.pkl'], 'f_02-03-2024.pkl', 'date', '02-03-2024'],
    ['f_*.pkl', ['f_v1.pkl', 'f_2024-01-31.pkl'], 'f_v1.pkl', 'version', '1'],
    ['f_*.pkl', ['f_b.pkl', 'f_c.pkl', 'f_a.pkl'], 'f_a.pkl', 'modified', '20200103T000000Z'],
    ['f_*.pkl', ['f_v1.pkl', 'f_v1.0.pkl@2019-01-01'], 'f_v1.pkl', 'modified', '1'],
    ['v*/', ['v1/m.pkl', 'v10/m.pkl', 'v9/m.pkl', 'v11.txt'], 'v10', 'version', '10'],
    ['v*/m.pkl', ['v1/m.pkl', 'v2/m.pkl', 'v3/other.pkl'], 'v2/m.pkl', 'version', '2'],
    ['v*/f_*.pkl', ['v1/f_2024.pkl', 'v2/f_2022.pkl', 'v2/f_2023.pkl'], 'v2/f_2023.pkl', 'date', '2-2023'],
    ['*/', ['1/m.pkl', '2/m.pkl', '1706659200/m.pkl'], '2', 'version', '2'],
    ['ckpt-*.pt', ['ckpt-500.pt', 'ckpt-1000.pt'], 'ckpt-1000.pt', 'version', '1000'],
    [
      'm_*.pkl',
      ['m_2024-01-31_3f2a9c1.pkl', 'm_2024-02-01_a1b2c3d.pkl'],
      'm_2024-02-01_a1b2c3d.pkl',
      'date',
      '2024-02-01',
    ],
    ['m_v*.pkl', ['m_v1.pkl', '.m_v9.pkl', 'm_v8.pkl.tmp', 'm_v7.pkl.part'], 'm_v1.pkl', 'only', '1'],
  ])('of %s among %j: %s by %s, called %s', async (pattern, files, path, rule, version) => {
    const found = await resolveIn(await directoryOf(...files), pattern);
    expect({ path: found.path, rule, version: found.version.text }).toEqual({ path, rule, version });
    expect(found.rule).toBe(rule);
    const blobs = await bucketOf(...files.map((file) => file.replace(/@.*/, '')));
    if (rule !== 'modified') expect((await inBucket(blobs, `s3://b/${pattern}`)).path).toBe(path);
  });

  it('says what was passed over, and that versions count for newer than dates', async () => {
    const root = await directoryOf('m_v1.pkl', 'm_2024-01-31.pkl', 'm_v2_scaler.pkl');
    const { notes } = await resolveIn(root, 'm_*.pkl');
    expect(notes).toEqual([
      'some names hold versions and some dates: a version counts for newer than any date',
      'passed over, for other words or no version in the name: m_v2_scaler.pkl',
    ]);
  });

  it('passes over directories in which nothing lies yet', async () => {
    const root = await directoryOf('v1/m.pkl', 'v2/m.pkl');
    for (const name of ['v3', 'v4']) await mkdir(join(root, name));
    const found = await resolveIn(root, 'v*/');
    expect(found).toMatchObject({ path: 'v2', notes: ['passed over, for nothing lies in it: v4, v3'] });
    await expect(resolveIn(root, 'v3/')).rejects.toThrow(/v3\/ holds no files$/);
  });

  it('refuses to guess between models', async () => {
    const root = await directoryOf('churn_v1.pkl', 'fraud_v2.pkl');
    await expect(resolveIn(root, '*.pkl')).rejects.toMatchObject({ code: 'conflict', message: /matches 2 models/ });
  });
});

describe('resolveSource names models', () => {
  it.each([
    ['sentiment_model_v1.2.pkl', 'sentiment_model_v1.2.pkl', 'sentiment-model'],
    ['sentiment_model_v*.pkl', 'sentiment_model_v1.2.pkl', 'sentiment-model'],
    ['forecast_model_*.joblib', 'forecast_model_2024-01-31.joblib', 'forecast-model'],
    ['churn/models/v2/', 'churn/models/v2/model.pkl', 'churn'],
    ['churn/v*/model.pkl', 'churn/v2/model.pkl', 'churn'],
    ['fraud/3/', 'fraud/3/saved_model.pb', 'fraud'],
    ['model*.pkl', 'model2.pkl', 'model'],
    ['Sentiment Model v*.pkl', 'Sentiment Model v3.pkl', 'sentiment-model'],
  ])('%s with %s is %s', async (rest, file, name) => {
    const blobs = await bucketOf(file);
    const { name: found } = await inBucket(blobs, `s3://model/${rest}`);
    expect(found).toBe(name);
  });
});

describe('resolveSource finds one file or directory', () => {
  it('asks for a single file only, so that the right to list is not needed', async () => {
    const blobs = await bucketOf('m_v1.2.pkl');
    const mute: BlobStore = {
      ...blobs,
      stat: (key) => blobs.stat(key),
      list: () => {
        throw new IngotError('forbidden', 'no listing');
      },
    };
    const found = await inBucket(mute, 's3://b/m_v1.2.pkl');
    expect(found).toMatchObject({ kind: 'file', version: { text: '1.2', label: '1.2' } });
    await expect(inBucket(mute, 's3://b/other.pkl')).rejects.toMatchObject({ code: 'path-not-found' });
  });

  it('takes a directory with and without a slash, and gives all its files', async () => {
    const root = await directoryOf('v2/model.pkl', 'v2/sub/x.txt');
    for (const rest of ['v2', 'v2/']) {
      const found = await resolveIn(root, rest);
      expect(found).toMatchObject({ kind: 'directory', version: { text: '2', number: 2 } });
      expect(found.files.map((file) => file.path)).toEqual(['v2/model.pkl', 'v2/sub/x.txt']);
    }
  });

  it('calls a link by what it leads to', async () => {
    const root = await directoryOf('v3/model.pkl');
    await symlink('v3', join(root, 'current'));
    expect((await resolveIn(root, 'current/')).version).toMatchObject({ text: '3', number: 3 });
  });

  it('takes a file whose name looks like a pattern by its name', async () => {
    const root = await directoryOf('m[1].pkl', 'm1.pkl');
    expect((await resolveIn(root, 'm[1].pkl')).path).toBe('m[1].pkl');
    expect((await inBucket(await bucketOf('m[1].pkl'), 's3://b/m[1].pkl')).path).toBe('m[1].pkl');
  });

  it('gives another revision when a file changes, and the same while none does', async () => {
    const root = await directoryOf('v1/a.pkl', 'v1/b.txt');
    const before = await resolveIn(root, 'v1/');
    expect((await resolveIn(root, 'v1/')).revision).toBe(before.revision);
    await writeFile(join(root, 'v1/b.txt'), 'changed');
    expect((await resolveIn(root, 'v1/')).revision).not.toBe(before.revision);
  });
});

describe('resolveSource helps', () => {
  it('with the nearest name for a mistyped one', async () => {
    const root = await directoryOf('sentiment_model_v1.pkl', 'models/v1/m.pkl');
    await expect(resolveIn(root, 'sentimnet_model_v1.pkl')).rejects.toMatchObject({
      code: 'path-not-found',
      nearest: `${root}/sentiment_model_v1.pkl`,
    });
    await expect(resolveIn(root, 'modles/v*/')).rejects.toMatchObject({ nearest: `${root}/models` });
    await expect(resolveIn(root, 'models/v2/')).rejects.toMatchObject({ nearest: `${root}/models/v1/` });
    await expect(resolveIn(root, 'sentimnet_model_v*.pkl')).rejects.toMatchObject({
      nearest: `${root}/sentiment_model_v*.pkl`,
    });
    await expect(resolveIn(root, 'sentiment_model_v1.pkl/')).rejects.toThrow(/is a file: leave out the \/ at its end/);
    await expect(resolveIn(root, 'nothing_v*.pkl')).rejects.toThrow(
      /nothing matches .*there is models, sentiment_model_v1.pkl/,
    );
  });

  it.each([
    [['v1/m.pkl', 'v2/m.pkl'], '*/'],
    [['churn_v1.pkl', 'churn_v2.pkl', 'README.md'], 'churn_v*.pkl'],
    [['README.md', 'team/models/v1/m.pkl', 'team/models/v2/m.pkl'], 'team/models/*/'],
  ])('with the pattern for a directory of versions: %j', async (files, pattern) => {
    const root = await directoryOf(...files);
    await expect(resolveIn(root, '')).rejects.toMatchObject({ code: 'conflict', nearest: `${root}/${pattern}` });
  });
});

describe('resolveSource finds object versions', () => {
  const place = async (text: string) => {
    const blobs = await bucketOf('m.pkl');
    const stat: BlobStore['stat'] = async (key, { objectVersion = 'b' } = {}) => {
      const found = await blobs.stat(key);
      return found && ['a', 'b'].includes(objectVersion) ? { ...found, objectVersion } : undefined;
    };
    const versioned: BlobStore = { ...blobs, stat, versions: async function* () {} };
    return await resolveSource(parsePlainAddress(text, { cwd: '/' }), blobPlace(versioned));
  };

  it('and names the newest for one that is not there', async () => {
    expect((await place('s3://b/m.pkl?versionId=a')).location).toBe('s3://b/m.pkl?versionId=a');
    await expect(place('s3://b/m.pkl?versionId=c')).rejects.toMatchObject({
      code: 'path-not-found',
      message: 's3://b/m.pkl has no version "c"',
      nearest: 's3://b/m.pkl?versionId=b',
    });
    await expect(place('s3://b/n.pkl?versionId=c')).rejects.toThrow(/there is nothing at s3:..b.n.pkl/);
  });

  it('and tells the snapshots of Azure from its versions', async () => {
    const blobs = await bucketOf('m.pkl');
    const asked: (string | undefined)[] = [];
    const stat: BlobStore['stat'] = async (key, options) => {
      asked.push(options?.objectVersion);
      return await blobs.stat(key);
    };
    const address = parsePlainAddress('az://c/m.pkl?snapshot=2024', { cwd: '/' });
    const versioned: BlobStore = { ...blobs, stat, versions: async function* () {} };
    expect((await resolveSource(address, blobPlace(versioned))).location).toBe('az://c/m.pkl?snapshot=2024');
    expect(asked).toEqual(['snapshot:2024']);
  });
});

describe('resolveSource over a storage', () => {
  it('sees many small directories with one listing', async () => {
    const keys = Array.from({ length: 40 }, (_, n) => [`v${n}/a.txt`, `v${n}/m.pkl`]).flat();
    const blobs = await bucketOf(...keys);
    let listings = 0;
    const counted: BlobStore = {
      ...blobs,
      list: (prefix, options) => {
        listings += 1;
        return blobs.list(prefix, options);
      },
    };
    expect((await inBucket(counted, 's3://b/v*/')).path).toBe('v39');
    // One for all, and one for the files of the newest.
    expect(listings).toBe(2);
  });

  it('passes over what lies in a large directory', async () => {
    const keys = Array.from({ length: 2500 }, (_, n) => `v1/${n}.txt`);
    const blobs = await bucketOf(...keys, 'v2/m.pkl');
    expect((await inBucket(blobs, 's3://b/v*/')).path).toBe('v2');
  });

  it('finds the nearest directory for one that is not there', async () => {
    const blobs = await bucketOf('team/models/m_v1.pkl');
    const rooted = (root: string): BlobStore => {
      const prefix = root.replace(/^s3:\/\/b\/?/, '').replace(/(.)$/, '$1/');
      return {
        ...blobs,
        stat: (key) => blobs.stat(prefix + key),
        list: async function* (start) {
          for await (const blob of blobs.list(prefix + start)) yield { ...blob, key: blob.key.slice(prefix.length) };
        },
      };
    };
    const open = async ({ root }: { readonly root: string }) => blobPlace(rooted(root));
    const address = parsePlainAddress('s3://b/taem/models/m_v*.pkl', { cwd: '/' });
    await expect(resolveSource(address, await open(address), { open })).rejects.toMatchObject({
      nearest: 's3://b/team/models/m_v*.pkl',
    });
  });
});

describe('matchesOf', () => {
  it('gives everything, each with its own version', async () => {
    const blobs = await bucketOf('m_v1.pkl', 'm_v2.pkl');
    const address = parsePlainAddress('s3://b/m_v*.pkl', { cwd: '/' });
    const all = await matchesOf(address, blobPlace(blobs));
    expect(all.map(({ version }) => version.number)).toEqual([1, 2]);
  });
});
