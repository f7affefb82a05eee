import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { type ErrorCode, IngotError } from '../../errors.ts';
import { failsWith } from '../conformance/case.ts';
import { compareKeys } from '../key.ts';
import { CallWatch } from '../remote/watch.ts';
import { readAzureConfig } from './config.ts';
import { azureFailure } from './failures.ts';
import { inKeyOrder, type ListedBlob } from './listing.ts';

const KEY = Buffer.alloc(64, 1).toString('base64');

describe('the settings of an Azure store', () => {
  test('name the account by variable, by address or by connection string', () => {
    const urls = [
      readAzureConfig('az://models/a', { AZURE_STORAGE_ACCOUNT: 'contoso' }),
      readAzureConfig('az://models/a?account=contoso', { AZURE_STORAGE_ACCOUNT: 'other' }),
      readAzureConfig('az://models/a', { AZURE_STORAGE_CONNECTION_STRING: `AccountName=contoso;AccountKey=${KEY}` }),
    ].map(({ serviceUrl }) => serviceUrl);
    assert.deepEqual(new Set(urls), new Set(['https://contoso.blob.core.windows.net']));
  });

  test('take a key before a signature before an identity', () => {
    const kindOf = (env: Record<string, string>) =>
      readAzureConfig('az://models', { AZURE_STORAGE_ACCOUNT: 'contoso', ...env }).access.kind;
    assert.equal(kindOf({}), 'identity');
    assert.equal(kindOf({ INGOT_AZURE_ANONYMOUS: 'yes' }), 'anonymous');
    assert.equal(kindOf({ AZURE_STORAGE_SAS_TOKEN: '?sv=1&sig=x' }), 'sas');
    assert.equal(kindOf({ AZURE_STORAGE_SAS_TOKEN: '?sv=1&sig=x', AZURE_STORAGE_KEY: KEY }), 'key');
  });

  test('do not show the key of one account to another', () => {
    const env = { AZURE_STORAGE_CONNECTION_STRING: `AccountName=contoso;AccountKey=${KEY}` };
    const config = readAzureConfig('az://models?account=fabrikam', env);
    assert.equal(config.access.kind, 'identity');
    assert.equal(config.serviceUrl, 'https://fabrikam.blob.core.windows.net');
  });

  test('know other clouds, a signature in a connection string, and Azurite', () => {
    const china = readAzureConfig('az://models', {
      AZURE_STORAGE_CONNECTION_STRING:
        'AccountName=contoso;SharedAccessSignature=sv=1&sig=x;EndpointSuffix=core.chinacloudapi.cn',
    });
    assert.equal(china.serviceUrl, 'https://contoso.blob.core.chinacloudapi.cn');
    assert.deepEqual(china.access, { kind: 'sas', token: 'sv=1&sig=x' });
    const azurite = readAzureConfig('az://models', { AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true' });
    assert.equal(azurite.serviceUrl, 'http://127.0.0.1:10000/devstoreaccount1');
  });

  test('say where the account belongs in an endpoint that is nobody’s own', () => {
    const env = (endpoint: string) => ({ AZURE_STORAGE_ACCOUNT: 'contoso', INGOT_AZURE_ENDPOINT: endpoint });
    for (const endpoint of ['http://127.0.0.1:10000', 'http://localhost:10000/', 'http://azurite:10000'])
      assert.throws(
        () => readAzureConfig('az://models', env(endpoint)),
        (error) =>
          error instanceof IngotError &&
          error.code === 'invalid-config' &&
          error.hint?.endsWith(`${endpoint.replace(/\/$/, '')}/contoso`) === true,
        endpoint,
      );
    for (const endpoint of ['https://blobs.example.com', 'http://azurite:10000/contoso', 'https://contoso.local'])
      assert.equal(readAzureConfig('az://models', env(endpoint)).serviceUrl, endpoint);
  });

  test('that are malformed are refused, and secrets are not repeated', async () => {
    for (const address of ['az://Models', 'az://a', 'az://models--x', 'az://models?sv=1&sig=x'])
      await failsWith(async () => readAzureConfig(address, { AZURE_STORAGE_ACCOUNT: 'contoso' }), 'usage');
    const wrong: Record<string, string>[] = [
      {},
      { AZURE_STORAGE_ACCOUNT: 'Contoso.net' },
      { AZURE_STORAGE_ACCOUNT: 'contoso', AZURE_STORAGE_KEY: 'SECRET!' },
      { AZURE_STORAGE_ACCOUNT: 'contoso', AZURE_STORAGE_SAS_TOKEN: 'SECRET' },
      { AZURE_STORAGE_ACCOUNT: 'contoso', INGOT_AZURE_ENCRYPTION_KEY: 'SECRET' },
      { INGOT_AZURE_ENDPOINT: 'http://127.0.0.1:1/x', INGOT_AZURE_ENCRYPTION_KEY: KEY.slice(0, 43) },
      { AZURE_STORAGE_CONNECTION_STRING: 'AccountKey=SECRET' },
      { INGOT_AZURE_ENDPOINT: 'ftp://x?SECRET' },
      { INGOT_AZURE_ENDPOINT: 'https://x', AZURE_STORAGE_KEY: KEY },
    ];
    for (const env of wrong) {
      assert.throws(
        () => readAzureConfig('az://models', env),
        (error) => error instanceof IngotError && error.code === 'invalid-config' && !error.message.includes('SECRET'),
        JSON.stringify(env),
      );
    }
  });
});

function explain(
  { status, code, message = 'said' }: { status: number; code: string; message?: string },
  operation = 'blob.read',
  env: Record<string, string> = { AZURE_STORAGE_KEY: KEY },
): IngotError {
  const config = readAzureConfig('az://models/team', { AZURE_STORAGE_ACCOUNT: 'contoso', ...env });
  using watch = new CallWatch({ operation, address: config.address, signal: undefined, silenceMs: 60_000 });
  const error = Object.assign(new Error(message), { statusCode: status, code });
  const explained = azureFailure(error, { operation, config, watch });
  assert.ok(explained instanceof IngotError);
  return explained;
}

describe('what Azure says', () => {
  test('of a missing container names the account in the command that makes it', () => {
    const missing = { status: 404, code: 'ContainerNotFound' };
    const hint = 'az storage container create --account-name contoso --name models';
    assert.equal(explain(missing).hint, hint);
    assert.equal(explain(missing, 'blob.read', { AZURE_STORAGE_SAS_TOKEN: 'sig=1' }).hint, hint);
  });

  test('of a wrong key speaks of the key where an emulator says it as Azure speaks of firewalls', () => {
    const refusal = { status: 403, code: 'AuthorizationFailure' };
    const endpoint = { INGOT_AZURE_ENDPOINT: 'http://127.0.0.1:10000/contoso' };
    assert.match(
      explain(refusal, 'blob.list', { AZURE_STORAGE_KEY: KEY, ...endpoint }).message,
      /key of account "contoso"/,
    );
    assert.match(explain(refusal, 'blob.list', { AZURE_STORAGE_SAS_TOKEN: 'sig=1', ...endpoint }).message, /\(SAS\)/);
    assert.match(explain(refusal, 'blob.list').message, /firewall/);
  });

  const cases: readonly (readonly [number, string, ErrorCode, boolean])[] = [
    [404, 'ContainerNotFound', 'store-not-found', false],
    [409, 'ContainerBeingDeleted', 'unavailable', true],
    [409, 'BlobArchived', 'unavailable', false],
    [409, 'BlobBeingRehydrated', 'unavailable', false],
    [409, 'SnapshotsPresent', 'refused', false],
    [412, 'LeaseIdMissing', 'refused', false],
    [409, 'BlobImmutableDueToPolicy', 'refused', false],
    [409, 'BlobUsesCustomerSpecifiedEncryption', 'forbidden', false],
    [400, 'Md5Mismatch', 'integrity', true],
    [503, 'ServerBusy', 'overloaded', true],
    [429, 'TooManyRequests', 'overloaded', true],
    [500, 'OperationTimedOut', 'unavailable', true],
    [500, 'InternalError', 'unavailable', true],
    [403, 'AuthenticationFailed', 'forbidden', false],
    [403, 'KeyBasedAuthenticationNotPermitted', 'forbidden', false],
    [403, 'AuthorizationPermissionMismatch', 'forbidden', false],
    [403, 'AuthorizationFailure', 'forbidden', false],
    [401, 'NoAuthenticationInformation', 'forbidden', false],
    [400, 'InvalidUri', 'usage', false],
    [418, 'Teapot', 'unexpected', false],
  ];
  for (const [status, code, expected, retryable] of cases) {
    test(`${status} ${code} is ${expected}${retryable ? ', and worth a retry' : ''}`, () => {
      const error = explain({ status, code });
      assert.deepEqual({ code: error.code, retryable: error.retryable }, { code: expected, retryable });
      if (error.code === 'forbidden') assert.ok(error.hint);
    });
  }

  test('of a missing right names what to grant, to an identity and to a signature', () => {
    const missing = { status: 403, code: 'AuthorizationPermissionMismatch' };
    assert.match(explain(missing, 'blob.read', {}).hint ?? '', /"Storage Blob Data Reader"/);
    assert.match(explain(missing, 'blob.delete', {}).hint ?? '', /"Storage Blob Data Contributor"/);
    const sas = { AZURE_STORAGE_SAS_TOKEN: 'sp=l&sig=x' };
    assert.match(explain(missing, 'blob.delete', sas).hint ?? '', /sp= holding d/);
  });

  test('of a signature that is out of date says since when, whatever words it uses', () => {
    const refused = { status: 403, code: 'AuthorizationFailure' };
    const expired = explain(refused, 'blob.read', { AZURE_STORAGE_SAS_TOKEN: 'se=2020-01-01T00%3A00%3A00Z&sig=x' });
    assert.match(expired.message, /expired at 2020-01-01T00:00:00Z/);
    const early = explain(refused, 'blob.read', { AZURE_STORAGE_SAS_TOKEN: 'st=2999-01-01T00%3A00%3A00Z&sig=x' });
    assert.match(early.message, /not valid before 2999/);
  });

  test('of a clock that is off is told so', () => {
    const message = 'The Date header in the request is incorrect.';
    assert.match(explain({ status: 403, code: 'AuthenticationFailed', message }).message, /clock is off/);
  });
});

describe('a listing', () => {
  const entry = (key: string, isDirectory = false): ListedBlob => ({
    key,
    isDirectory,
    sizeBytes: 0,
    modifiedAt: new Date(0),
  });
  const keysOf = async (listed: readonly ListedBlob[]) => {
    const keys: string[] = [];
    const each = async function* () {
      yield* listed;
    };
    for await (const { key } of inKeyOrder(each())) keys.push(key);
    return keys;
  };

  test('in the order of UTF-16 units comes out in the order of UTF-8 bytes', async () => {
    const keys = fc.uniqueArray(
      fc.string({ unit: fc.constantFrom('a', '/', '-', 'ü', '\ue000', '\uffee', '🦊', '𝒳'), maxLength: 5 }),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(keys, async (found) => {
        const listed = [...found].sort().map((key) => entry(key));
        assert.deepEqual(await keysOf(listed), [...found].sort(compareKeys));
        const already = [...found].sort(compareKeys).map((key) => entry(key));
        assert.deepEqual(await keysOf(already), [...found].sort(compareKeys));
      }),
    );
  });

  test('directory by directory comes out in the order of keys, without the directories', async () => {
    const listed = [entry('a'), entry('ba', true), entry('ba/nana'), entry('ba-nana'), entry('ba.nana'), entry('c')];
    assert.deepEqual(await keysOf(listed), ['a', 'ba-nana', 'ba.nana', 'ba/nana', 'c']);
  });
});
