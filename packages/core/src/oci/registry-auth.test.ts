import { describe, expect, it } from 'vitest';
import type { HttpReply } from '../blob/http/client.ts';
import { parseRegistryAddress, originOf } from './registry-address.ts';
import { challengeOf, RegistryAuth, type RegistryCredential } from './registry-auth.ts';
import { retryAfterMs } from './registry-failures.ts';

const SCOPE = 'repository:team/churn:pull';
const CHALLENGE =
  'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:team/churn:pull"';

function reply(challenge: string): HttpReply {
  return {
    status: 401,
    headers: { 'www-authenticate': challenge },
    path: '/',
    body: async function* () {},
    text: async () => '',
    discard: async () => {},
    error: () => new Error('401') as never,
  };
}

function auth(
  credential: RegistryCredential | undefined,
  answer: object = { token: 'T1', expires_in: 300 },
  origin = 'https://registry.example',
) {
  const asked: { readonly url: URL; readonly authorization?: string; readonly body?: string }[] = [];
  let [now, looked] = [0, 0];
  const made = new RegistryAuth({
    host: 'registry.example',
    origin,
    find: async () => {
      looked += 1;
      return credential;
    },
    ask: async (url, { headers, body }) => {
      asked.push({
        url,
        ...(headers.authorization && { authorization: headers.authorization }),
        ...(body && { body }),
      });
      return { status: 200, text: JSON.stringify(answer) };
    },
    now: () => new Date(now),
  });
  return { auth: made, asked, looked: () => looked, later: (ms: number) => (now += ms) };
}

const ANA = { username: 'ana', password: 'p:w' };
const BASIC = `Basic ${Buffer.from('ana:p:w').toString('base64')}`;

describe('being let in by a registry', () => {
  it('asks the token server once for a scope, until the token has ended', async () => {
    const { auth: made, asked, later } = auth(ANA);
    expect(made.headerFor(SCOPE)).toBeUndefined();
    expect(await made.answer(reply(CHALLENGE), SCOPE)).toBe('Bearer T1');
    expect(made.headerFor(SCOPE)).toBe('Bearer T1');
    expect(made.headerFor('repository:team/churn:pull,push')).toBeUndefined();
    const [{ url, authorization } = { url: new URL('none:') }] = asked;
    expect([url.searchParams.get('service'), url.searchParams.getAll('scope'), authorization]).toEqual([
      'registry.example',
      [SCOPE],
      BASIC,
    ]);
    later(291_000);
    expect(made.headerFor(SCOPE)).toBeUndefined();
  });

  it('shows an identity token in a form, and no password', async () => {
    const { auth: made, asked } = auth({ username: '', identityToken: 'refresh' });
    await made.answer(reply(CHALLENGE), SCOPE);
    expect(asked[0]?.authorization).toBeUndefined();
    expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'refresh',
      scope: SCOPE,
    });
    expect(String(asked[0]?.url)).toBe('https://auth.example/token');
  });

  it('asks a token without credentials where nothing is known, as public images need it', async () => {
    const { auth: made, asked } = auth(undefined);
    expect(await made.answer(reply(CHALLENGE), SCOPE)).toBe('Bearer T1');
    expect(asked[0]?.authorization).toBeUndefined();
  });

  it('sends a name and password where the registry asks for that, and looks them up anew when they were not taken', async () => {
    const { auth: made, looked } = auth(ANA);
    expect(await made.answer(reply('Basic realm="x"'), SCOPE)).toBe(BASIC);
    expect(made.headerFor('any other')).toBe(BASIC);
    made.forget(SCOPE);
    expect(made.headerFor(SCOPE)).toBeUndefined();
    await made.answer(reply('Basic realm="x"'), SCOPE);
    expect(looked()).toBe(2);
    expect(await auth(undefined).auth.answer(reply('Basic realm="x"'), SCOPE)).toBeUndefined();
  });

  it.each([
    ['http://auth.example/token', 'refused'],
    ['file:///etc/passwd', 'unavailable'],
    ['not an address', 'unavailable'],
  ])('gives nothing to a token server at %s', async (realm, code) => {
    const { auth: made, asked } = auth(ANA);
    await expect(made.answer(reply(`Bearer realm="${realm}"`), SCOPE)).rejects.toMatchObject({ code });
    expect(asked).toEqual([]);
  });

  it('takes no token that could begin another header', async () => {
    const { auth: made } = auth(ANA, { token: 'a\r\nx: y' });
    await expect(made.answer(reply(CHALLENGE), SCOPE)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

it('reads challenges in any order and form', () => {
  expect(challengeOf('Basic realm="a", Bearer realm="https://b/t",service="c"')).toEqual({
    scheme: 'bearer',
    realm: 'https://b/t',
    service: 'c',
  });
  expect(challengeOf('bearer scope="a:b:pull,push",realm="https://b"')).toEqual({
    scheme: 'bearer',
    realm: 'https://b',
    scope: 'a:b:pull,push',
  });
  expect(challengeOf('Basic realm="x"')).toEqual({ scheme: 'basic' });
  expect(challengeOf('Negotiate')).toBeUndefined();
  expect(challengeOf(undefined)).toBeUndefined();
});

describe('an address in a registry', () => {
  it('is taken apart', () => {
    const digest = `sha256:${'0'.repeat(64)}` as const;
    expect(parseRegistryAddress('localhost:5000/churn')).toEqual({ host: 'localhost:5000', name: 'churn' });
    expect(parseRegistryAddress(`R.example/team/churn:7@${digest}`)).toEqual({
      host: 'r.example',
      name: 'team/churn',
      tag: '7',
      digest,
    });
    expect(parseRegistryAddress('debian:bookworm', { hub: true })).toEqual({
      host: 'docker.io',
      name: 'library/debian',
      tag: 'bookworm',
    });
    expect(parseRegistryAddress('team/churn', { hub: true })).toEqual({ host: 'docker.io', name: 'team/churn' });
    expect(parseRegistryAddress('docker.io/python:3.11')).toEqual({
      host: 'docker.io',
      name: 'library/python',
      tag: '3.11',
    });
  });

  it.each([
    'churn',
    'churn:7',
    'host/',
    'host/../x',
    'host/a//b',
    'host/a:',
    'host/a:b/c',
    'host/a@sha256:1',
    'a b/c',
    'host/%2e%2e/x',
    'host?x/y',
    'user@host/x',
  ])('is refused: %s', (text) => {
    expect(() => parseRegistryAddress(text)).toThrow(/is not an address in a registry/);
  });

  it('is asked over https but on this machine, and where that was allowed', () => {
    expect(
      ['localhost:5000', '127.0.0.1', '[::1]:80', 'docker.io', '127.0.0.1.example'].map((host) => originOf(host)),
    ).toEqual([
      'http://localhost:5000',
      'http://127.0.0.1',
      'http://[::1]:80',
      'https://registry-1.docker.io',
      'https://127.0.0.1.example',
    ]);
    expect(originOf('registry.example', true)).toBe('http://registry.example');
  });
});

it('waits as long as a registry asks, in seconds or until a date', () => {
  expect([retryAfterMs('3'), retryAfterMs(undefined), retryAfterMs('soon')]).toEqual([3000, undefined, undefined]);
  expect(retryAfterMs(new Date(5000).toUTCString(), 1000)).toBe(4000);
});
