import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseModelName } from '@ingot/core/ref';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allows } from './grants.ts';
import type { WorkloadConfig } from './sign-in-config.ts';
import { parseSignInConfig } from './sign-in-config.ts';
import { TrustedWorkloads } from './workloads.ts';

let server: Server;
let issuer = '';
let asked: string[] = [];
const keys = await generateKeyPair('RS256', { extractable: true });
const others = await generateKeyPair('RS256');

beforeAll(async () => {
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const isKeys = request.url === '/keys';
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(isKeys ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  issuer = `http://127.0.0.1:${address.port}`;
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

function trusted(): TrustedWorkloads {
  const config: WorkloadConfig = {
    issuer,
    audience: 'ingot',
    name: 'ci:{repository}',
    rules: [
      { claims: { repository: 'team/churn', ref: 'refs/heads/main' }, grants: [{ role: 'pusher', scope: 'team/' }] },
    ],
  };
  return new TrustedWorkloads([config], { now: () => new Date(), warn: () => {} });
}

const CLAIMS = { repository: 'team/churn', ref: 'refs/heads/main' };

function statement(
  over: { claims?: JWTPayload; audience?: string; from?: string; expires?: string; alg?: string } = {},
): SignJWT {
  return new SignJWT({ ...CLAIMS, ...over.claims })
    .setProtectedHeader({ alg: over.alg ?? 'RS256', kid: 'one' })
    .setIssuer(over.from ?? issuer)
    .setAudience(over.audience ?? 'ingot')
    .setSubject('job-1')
    .setIssuedAt()
    .setExpirationTime(over.expires ?? '5m');
}

describe('a signed statement of a build server', () => {
  it('gives what the rules say of its claims, under a name made of them; the keys are asked for once', async () => {
    const workloads = trusted();
    asked = [];
    const jwt = await statement().sign(keys.privateKey);
    const { name, subject } = await workloads.identify(jwt);
    expect(name).toBe('ci:team/churn');
    const rights = workloads.rightsOf(subject);
    const target = { kind: 'model', model: parseModelName('team/churn') } as const;
    expect(rights && [allows(rights, 'push', target), allows(rights, 'promote', target)]).toEqual([true, false]);
    await workloads.identify(await statement({ claims: { run: 2 } }).sign(keys.privateKey));
    expect(asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  it('gives nothing when its claims meet no rule', async () => {
    const workloads = trusted();
    const { subject } = await workloads.identify(
      await statement({ claims: { ref: 'refs/heads/x' } }).sign(keys.privateKey),
    );
    expect(workloads.rightsOf(subject)?.namespaces.size).toBe(0);
  });

  it('is refused unsigned, signed by another or with the public key as a secret, expired, for others, or of others', async () => {
    const workloads = trusted();
    const secret = new TextEncoder().encode(await exportSPKI(keys.publicKey));
    const confused = statement({ alg: 'HS256' });
    const good = await statement().sign(keys.privateKey);
    const [head = '', body = '', signature = ''] = good.split('.');
    const forged = Buffer.from(JSON.stringify({ ...CLAIMS, iss: issuer, aud: 'ingot', sub: 'x', exp: 9_999_999_999 }));
    const bad = {
      unsigned: new UnsecuredJWT(CLAIMS)
        .setIssuer(issuer)
        .setAudience('ingot')
        .setSubject('x')
        .setExpirationTime('5m')
        .encode(),
      'alg none with a signature': `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.${signature}`,
      'another key': await statement().sign(others.privateKey),
      'key confusion': await confused.sign(secret),
      expired: await statement({ expires: '-5m' }).sign(keys.privateKey),
      'another audience': await statement({ audience: 'other' }).sign(keys.privateKey),
      'another issuer': await statement({ from: 'https://evil.example' }).sign(keys.privateKey),
      'another body': `${head}.${forged.toString('base64url')}.${signature}`,
      'no statement': 'x.y.z',
      'without an end': await new SignJWT(CLAIMS)
        .setProtectedHeader({ alg: 'RS256', kid: 'one' })
        .setIssuer(issuer)
        .setAudience('ingot')
        .setSubject('x')
        .sign(keys.privateKey),
    };
    for (const [what, jwt] of Object.entries(bad))
      await expect(workloads.identify(jwt), what).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

it('the sign-in file names what is wrong with it, and plain HTTP only counts on this machine', () => {
  const oidc = { clientId: 'x', publicUrl: 'https://models.example.com' };
  const file = (issuerText: string): string => JSON.stringify({ oidc: { ...oidc, issuer: issuerText } });
  expect(parseSignInConfig(file('https://id.example.com'), 'hush').oidc?.clientSecret).toBe('hush');
  expect(parseSignInConfig(file('http://127.0.0.1:1')).oidc?.issuer).toBe('http://127.0.0.1:1');
  for (const text of [file('http://id.example.com'), file('file:///etc'), '{', '{"oidc":{}}', '{"unknown":1}'])
    expect(() => parseSignInConfig(text), text).toThrow(expect.objectContaining({ code: 'invalid-config' }));
});
