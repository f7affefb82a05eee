import { parseModelName } from '@ingot/core/ref';
import { describe, expect, it } from 'vitest';
import { checkMaking } from './authorizer.ts';
import { basic, carrying, openedAccess } from './testing/opened-access.ts';
import { csrfOf } from './sessions.ts';

const PASSWORD = 'correct horse battery';
const SERVER = { kind: 'server' } as const;
const churn = { kind: 'model', model: parseModelName('team/churn') } as const;
const denied = expect.objectContaining({ code: 'unauthenticated' });

describe('a server on loopback', () => {
  it('is open until its first account, who administers it, and never again', async () => {
    await using opened = await openedAccess('127.0.0.1');
    const { access } = opened;
    const anybody = await access.identify(carrying({ actor: 'ana' }));
    expect(anybody).toMatchObject({ kind: 'open', name: 'ana', authenticated: false });
    expect(access.authorizer.may(anybody, 'admin', SERVER)).toBe(true);
    const account = await access.accounts.add({ name: 'ana', password: PASSWORD }, 'ana');
    expect(account.grants).toEqual([{ role: 'admin', scope: '*' }]);
    expect(access.authorizer.may(anybody, 'read', SERVER)).toBe(false);
    expect(await access.identify(carrying())).toMatchObject({ kind: 'nobody' });
    await expect(access.accounts.remove('ana')).rejects.toMatchObject({ code: 'conflict' });
    await expect(access.accounts.revoke('ana', { role: 'admin', scope: '*' })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it('makes no token; one that listens elsewhere makes one that administers it, once', async () => {
    await using local = await openedAccess('127.0.0.1');
    expect(local.access.firstToken).toBeUndefined();
    await using elsewhere = await openedAccess('0.0.0.0');
    const { access } = elsewhere;
    expect(access.isOpen()).toBe(false);
    const admin = await access.identify(carrying({ authorization: `Bearer ${access.firstToken}` }));
    expect(access.authorizer.may(admin, 'admin', SERVER)).toBe(true);
    expect((await elsewhere.another()).firstToken).toBeUndefined();
  });
});

describe('passwords', () => {
  it('are met once and then known for a minute; a wrong one and an unknown name are answered alike', async () => {
    await using opened = await openedAccess('127.0.0.1');
    const { access } = opened;
    await access.accounts.add({ name: 'ana', password: PASSWORD }, 'x');
    const right = carrying({ authorization: basic('ana', PASSWORD) });
    expect(access.identify(right)).toBeInstanceOf(Promise);
    expect(await access.identify(right)).toMatchObject({ kind: 'user', name: 'ana', authenticated: true });
    expect(access.identify(right)).not.toBeInstanceOf(Promise);
    const [wrong, unknown] = await Promise.all(
      [basic('ana', 'wrong horse battery'), basic('nobody', PASSWORD)].map((authorization) =>
        Promise.resolve(access.identify(carrying({ authorization }))).catch((error: Error) => error),
      ),
    );
    expect(wrong).toMatchObject({ code: 'unauthenticated' });
    expect(String(unknown)).toBe(String(wrong));
  });

  it('that were changed are wrong at once, also while they are still known', async () => {
    await using opened = await openedAccess('127.0.0.1');
    const { access } = opened;
    await access.accounts.add({ name: 'ana', password: PASSWORD }, 'x');
    const right = carrying({ authorization: basic('ana', PASSWORD) });
    await access.identify(right);
    await access.accounts.setPassword('ana', 'another horse battery');
    await expect(access.identify(right)).rejects.toThrow(denied);
  });

  it('that are weak are refused', async () => {
    await using opened = await openedAccess('127.0.0.1');
    const { accounts } = opened.access;
    for (const password of ['short', 'anastasia1', 'x'.repeat(300)])
      await expect(accounts.add({ name: 'anastasia', password }, 'x'), password).rejects.toMatchObject({
        code: 'usage',
      });
  });
});

describe('tokens', () => {
  it('may what their account may and their scopes say, and nothing more', async () => {
    await using opened = await openedAccess('127.0.0.1');
    const { access } = opened;
    const { accounts, authorizer } = access;
    await accounts.add({ name: 'root', password: PASSWORD }, 'x');
    await accounts.add({ name: 'ben', password: PASSWORD, grants: [{ role: 'reader', scope: 'team/' }] }, 'root');
    const wide = await accounts.addToken(
      { name: 'wide', account: 'ben', scopes: [{ role: 'admin', scope: '*' }] },
      'ben',
    );
    const narrow = await accounts.addToken(
      { name: 'narrow', account: 'root', scopes: [{ role: 'reader', scope: 'team/' }] },
      'root',
    );
    for (const { token } of [wide, narrow]) {
      const identity = await access.identify(carrying({ authorization: `Bearer ${token}` }));
      expect(authorizer.may(identity, 'read', churn)).toBe(true);
      expect(authorizer.may(identity, 'push', churn)).toBe(false);
      expect(authorizer.may(identity, 'read', SERVER)).toBe(false);
    }
  });

  it('count as a password too, and end when they expire, are revoked, or their account goes', async () => {
    await using opened = await openedAccess('127.0.0.1');
    const { access } = opened;
    await access.accounts.add({ name: 'root', password: PASSWORD }, 'x');
    await access.accounts.add({ name: 'ben', password: PASSWORD }, 'root');
    const expiresAt = new Date(Date.UTC(2026, 4, 1) + 1000);
    const short = await access.accounts.addToken({ name: 'short', account: 'ben', expiresAt }, 'ben');
    const long = await access.accounts.addToken({ name: 'long', account: 'ben' }, 'ben');
    const last = await access.accounts.addToken({ name: 'last', account: 'ben' }, 'ben');
    const ask = async (token: string) => access.identify(carrying({ authorization: basic('token', token) }));
    expect(await ask(short.token)).toMatchObject({ kind: 'token', name: 'ben' });
    const kept = await ask(long.token);
    opened.pass(1001);
    await expect(ask(short.token)).rejects.toThrow(denied);
    await access.accounts.revokeToken(long.id);
    await expect(ask(long.token)).rejects.toThrow(denied);
    // What was let in before loses what it may: a stream that stays open.
    expect(access.authorizer.may(kept, 'read', churn)).toBe(false);
    await access.accounts.remove('ben');
    await expect(ask(last.token)).rejects.toThrow(denied);
    await expect(ask(`${last.token.slice(0, -1)}x`)).rejects.toThrow(denied);
  });

  it('that one server ends are unknown to another over the same database when it looks', async () => {
    await using opened = await openedAccess('127.0.0.1');
    const { access } = opened;
    await access.accounts.add({ name: 'root', password: PASSWORD }, 'x');
    const made = await access.accounts.addToken({ name: 'ci', scopes: [{ role: 'reader', scope: '*' }] }, 'root');
    const other = await opened.another();
    const ask = async () => other.identify(carrying({ authorization: `Bearer ${made.token}` }));
    expect(await ask()).toMatchObject({ name: 'token:ci' });
    await access.accounts.revokeToken(made.id);
    await other.state.look();
    await expect(ask()).rejects.toThrow(denied);
  });
});

it('what may not be read does not exist, in the words of what does not', async () => {
  await using opened = await openedAccess('127.0.0.1');
  const { accounts, authorizer, identify } = opened.access;
  await accounts.add({ name: 'root', password: PASSWORD }, 'x');
  await accounts.add({ name: 'ben', password: PASSWORD, grants: [{ role: 'reader', scope: 'other/' }] }, 'root');
  const ben = await identify(carrying({ authorization: basic('ben', PASSWORD) }));
  expect(() => authorizer.check(ben, 'push', churn)).toThrow(
    expect.objectContaining({ code: 'model-not-found', message: 'there is no model "team/churn"', nearest: undefined }),
  );
  for (const name of ['team/churn', 'team/none'])
    expect(() => checkMaking(authorizer, ben, parseModelName(name))).toThrow(
      expect.objectContaining({ code: 'forbidden', message: `ben may not push to "${name}"` }),
    );
  const mine = { kind: 'model', model: parseModelName('other/x') } as const;
  expect(() => authorizer.check(ben, 'push', mine)).toThrow(expect.objectContaining({ code: 'forbidden' }));
  await opened.accessLog.flush();
  const rows = await opened.database.own.selectFrom('access_events').select(['kind', 'actor', 'model']).execute();
  const denials = rows.filter(({ kind }) => kind === 'denied');
  expect(denials).toMatchObject([
    { actor: 'ben', model: 'team/churn' },
    { actor: 'ben', model: 'team/churn' },
    { actor: 'ben', model: 'team/none' },
    { actor: 'ben', model: 'other/x' },
  ]);
});

it('a session lets in by its cookie, reads freely, and changes only with its second secret', async () => {
  await using opened = await openedAccess('127.0.0.1');
  const { access } = opened;
  await access.accounts.add({ name: 'ana', password: PASSWORD }, 'x');
  const { account = '' } = await access.signIn('ana', PASSWORD, carrying().origin);
  const { secret } = await access.sessions.begin(account);
  const cookie = `other=1; ingot_session=${secret}`;
  expect(await access.identify(carrying({ cookie }))).toMatchObject({ kind: 'user', name: 'ana' });
  const post = { ...carrying({ cookie }), origin: { address: 'a', method: 'POST', route: '/x' } };
  await expect(access.identify(post)).rejects.toMatchObject({ code: 'forbidden' });
  await expect(access.identify({ ...post, csrf: csrfOf('x') })).rejects.toMatchObject({ code: 'forbidden' });
  expect(await access.identify({ ...post, csrf: csrfOf(secret) })).toMatchObject({ name: 'ana' });
  opened.pass(13 * 3_600_000);
  expect(await access.identify(carrying({ cookie }))).toMatchObject({ kind: 'nobody' });
});
