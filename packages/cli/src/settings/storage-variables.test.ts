import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { storeAddress } from '../address.ts';
import { readLayers } from './layers.ts';
import { withheldFrom } from './lent-secrets.ts';
import { isSettingKey, keyOfVariable } from './setting-keys.ts';
import type { Settings } from './settings.ts';
import { createSettings, listStorage } from './settings.ts';
import { storageVariable } from './storage-variables.ts';

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true });
});

interface World {
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
}

async function settingsOf({
  env = {},
  files = {},
}: World): Promise<Settings & { readonly warnings: readonly string[] }> {
  const cwd = mkdtempSync(join(tmpdir(), 'ingot-storage-'));
  directories.push(cwd);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const host = {
    env: { HOME: cwd, INGOT_CONFIG: join(cwd, 'user.toml'), ...env },
    cwd,
    user: 'someone',
    hostname: 'machine',
  };
  const { layers, storage, warnings } = await readLayers(new Map(), host);
  return { ...createSettings(layers, host, storage), warnings };
}

const S3 = 'INGOT_REGISTRY=s3://models\n';

describe('storage variables', () => {
  it('are all those that the backends read', () => {
    const room = fileURLToPath(new URL('../../../core/src/blob', import.meta.url));
    const files = readdirSync(room, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /(?<!\.test)\.ts$/.test(name),
    );
    const texts = files.map((name) => readFileSync(join(room, name), 'utf8')).join('');
    const read = texts.matchAll(
      /(?:env\.|['"`])((?:INGOT|AWS|AZURE|GOOGLE|GCLOUD|CLOUDSDK|STORAGE_EMULATOR)_[A-Z0-9_]+)/g,
    );
    const unknown = [...new Set([...read].map(([, name = '']) => name))].filter((name) => {
      const isSetting = name.startsWith('INGOT_') && isSettingKey(keyOfVariable(name));
      return storageVariable(name) === undefined && !isSetting;
    });
    expect(unknown).toEqual([]);
  });

  it('come from .env and from [storage] of the files, the environment first', async () => {
    const settings = await settingsOf({
      env: { AWS_REGION: 'from-the-environment' },
      files: {
        '.env': 'AWS_REGION=from-dotenv\nAWS_ACCESS_KEY_ID=AKIA\nAWS_SECRET_ACCESS_KEY=hunter2\nOTHER=1\n',
        'ingot.toml': '[storage]\nINGOT_S3_SSE = "aws:kms"\nINGOT_S3_PART_MIB = 16\n',
        'user.toml': '[storage]\nAWS_CONFIG_FILE = "/home/me/aws"\n',
      },
    });
    expect(settings.warnings).toEqual([]);
    expect(settings.env).toMatchObject({
      AWS_REGION: 'from-the-environment',
      AWS_SECRET_ACCESS_KEY: 'hunter2',
      INGOT_S3_SSE: 'aws:kms',
      INGOT_S3_PART_MIB: '16',
      AWS_CONFIG_FILE: '/home/me/aws',
    });
    expect(settings.env.OTHER).toBeUndefined();
  });

  it('are listed with their origins, and secrets are not shown', async () => {
    const connection = 'AccountName=team;AccountKey=hunter2==';
    const settings = await settingsOf({
      env: { AZURE_STORAGE_CONNECTION_STRING: connection },
      files: { '.env': `AWS_SECRET_ACCESS_KEY=hunter2\nAWS_ENDPOINT_URL_S3=https://me:hunter2@host\n` },
    });
    expect(JSON.stringify(listStorage(settings))).not.toContain('hunter2');
    expect(listStorage(settings)).toContainEqual({
      name: 'AWS_SECRET_ACCESS_KEY',
      value: '***',
      origin: '.env AWS_SECRET_ACCESS_KEY',
    });
    expect(listStorage(settings)[0]?.origin).toBe('environment AZURE_STORAGE_CONNECTION_STRING');
  });

  it('of one place are not mixed with those of another', async () => {
    const { env } = await settingsOf({
      env: { AWS_ACCESS_KEY_ID: 'mine', AWS_SECRET_ACCESS_KEY: 'mine' },
      files: { '.env': 'AWS_ACCESS_KEY_ID=x\nAWS_SECRET_ACCESS_KEY=x\nAWS_SESSION_TOKEN=x\nAWS_PROFILE=x\n' },
    });
    expect(env).toMatchObject({ AWS_ACCESS_KEY_ID: 'mine', AWS_SECRET_ACCESS_KEY: 'mine' });
    expect(env.AWS_SESSION_TOKEN).toBeUndefined();
    expect(env.AWS_PROFILE).toBeUndefined();
  });

  it('that could run programs or send tokens away are not taken from the working directory, and that is said', async () => {
    const settings = await settingsOf({
      files: {
        '.env': `${S3}AWS_CONFIG_FILE=evil\nAWS_CONTAINER_CREDENTIALS_FULL_URI=https://evil\nAZURE_AUTHORITY_HOST=https://evil\n`,
      },
    });
    expect(settings.env.AWS_CONFIG_FILE).toBeUndefined();
    expect(settings.env.AZURE_AUTHORITY_HOST).toBeUndefined();
    const told = withheldFrom(settings);
    expect(told).toHaveLength(2);
    expect(told[0]).toMatch(
      /^AWS_CONFIG_FILE is not read from \.env, because a package .* it can name a program to run; set it/,
    );
  });

  it('name an endpoint for objects only when a file of the working directory does', async () => {
    const { env } = await settingsOf({ files: { '.env': 'AWS_ENDPOINT_URL=http://127.0.0.1:9000\n' } });
    expect(env.AWS_ENDPOINT_URL).toBeUndefined();
    expect(env.AWS_ENDPOINT_URL_S3).toBe('http://127.0.0.1:9000');
    const user = await settingsOf({
      env: { AWS_ENDPOINT_URL: 'http://mine' },
      files: { '.env': 'AWS_ENDPOINT_URL=http://127.0.0.1:9000\n' },
    });
    expect(user.env).toMatchObject({ AWS_ENDPOINT_URL: 'http://mine' });
    expect(user.env.AWS_ENDPOINT_URL_S3).toBeUndefined();
  });

  it('name a key file of Google only when it holds its own key', async () => {
    const file = (type: string) => ({
      '.env': 'GOOGLE_APPLICATION_CREDENTIALS=key.json\n',
      'key.json': JSON.stringify({ type }),
    });
    const own = await settingsOf({ files: file('service_account') });
    expect(own.env.GOOGLE_APPLICATION_CREDENTIALS).toMatch(/^\/.*\/key\.json$/);
    const foreign = await settingsOf({ files: file('external_account') });
    expect(foreign.env.GOOGLE_APPLICATION_CREDENTIALS).toBeUndefined();
    expect(foreign.storage.withheld).toMatchObject([{ name: 'GOOGLE_APPLICATION_CREDENTIALS', where: '.env' }]);
  });

  it('that are misspelt are named with the nearest', async () => {
    const { warnings } = await settingsOf({
      env: { INGOT_S3_STORAGE_CLAS: 'x' },
      files: { 'ingot.toml': '[storage]\nAWS_REGIN = "x"\n' },
    });
    expect(warnings[0]).toMatch(/INGOT_S3_STORAGE_CLAS \(environment\).*did you mean INGOT_S3_STORAGE_CLASS/);
    expect(warnings[1]).toMatch(/storage\.AWS_REGIN \(ingot\.toml\).*did you mean storage\.AWS_REGION/);
  });

  it('include the settings that concern storages, whoever set them', async () => {
    const { env } = await settingsOf({ files: { 'ingot.toml': 'shared = "group"\nretries = 2\n' } });
    expect(env).toMatchObject({ INGOT_SHARED: 'group', INGOT_RETRIES: '2' });
  });
});

describe('a server that a file of the working directory names', () => {
  const addressOf = async (world: World): Promise<string> => storeAddress(await settingsOf(world)).text;

  it('gets no password of the user', async () => {
    const files = { 'ingot.toml': 'registry = "webdavs://evil/x"\n' };
    const env = { INGOT_WEBDAV_PASSWORD: 'hunter2' };
    await expect(addressOf({ env, files })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(
        /^ingot\.toml names the server of webdavs:\/\/, which would get INGOT_WEBDAV_PASSWORD \(environment/,
      ),
    });
    expect(await addressOf({ env: { ...env, INGOT_REGISTRY: 'webdavs://mine/x' }, files })).toBe('webdavs://mine/x');
    expect(await addressOf({ files: { ...files, '.env': 'INGOT_WEBDAV_PASSWORD=theirs\n' } })).toBe('webdavs://evil/x');
    const sftp = { 'ingot.toml': 'registry = "sftp://me@evil/x"\n' };
    await expect(addressOf({ env: { INGOT_SFTP_PASSWORD: 'x' }, files: sftp })).rejects.toMatchObject({
      code: 'refused',
    });
    expect(await addressOf({ env: { INGOT_SFTP_KEY: '/mine' }, files: sftp })).toBe('sftp://me@evil/x');
  });

  it('gets no token of the user and no key that is sent along', async () => {
    const gs = { '.env': 'INGOT_REGISTRY=gs://models\nINGOT_GCS_ENDPOINT=https://evil\n' };
    await expect(addressOf({ files: gs })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('your own login'),
    });
    await expect(
      addressOf({ files: { 'ingot.toml': 'registry = "az://c?account=a&endpoint=https://evil"\n' } }),
    ).rejects.toMatchObject({
      code: 'refused',
    });
    const bare = {
      '.env': 'INGOT_REGISTRY=az://c\nAZURE_STORAGE_CONNECTION_STRING=AccountName=a;BlobEndpoint=https://evil\n',
    };
    await expect(addressOf({ files: bare })).rejects.toMatchObject({ code: 'refused' });
    const sse = { env: { INGOT_S3_SSE_C_KEY: 'x' }, files: { '.env': `${S3}AWS_ENDPOINT_URL=https://evil\n` } };
    await expect(addressOf(sse)).rejects.toMatchObject({ code: 'refused' });
  });

  it('may be an emulator, or sign requests with keys of the user', async () => {
    expect(
      await addressOf({ files: { '.env': 'INGOT_REGISTRY=gs://models\nSTORAGE_EMULATOR_HOST=http://127.0.0.1:1\n' } }),
    ).toBe('gs://models');
    const env = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' };
    expect(await addressOf({ env, files: { '.env': `${S3}AWS_ENDPOINT_URL=https://minio.example\n` } })).toBe(
      's3://models',
    );
    const key = 'AccountName=a;AccountKey=x;BlobEndpoint=https://azurite.example';
    expect(
      await addressOf({ files: { '.env': `INGOT_REGISTRY=az://c\nAZURE_STORAGE_CONNECTION_STRING=${key}\n` } }),
    ).toBe('az://c');
  });
});
