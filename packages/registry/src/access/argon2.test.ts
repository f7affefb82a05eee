import { expect, it } from 'vitest';
import { argon2Hash, argon2Matches } from './argon2.ts';

// Made by Node 24's own argon2id, which must be understood by the package of older releases, and the other way round.
const BY_NODE = '$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$quyusfeeuAGbpiw09i+j4VKJ+I/5h3mugd4HghmS/x8';

it('a hash is of its password and of no other, whoever has made it', async () => {
  const hash = await argon2Hash('correct horse battery');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await argon2Matches(hash, 'correct horse battery')).toBe(true);
  expect(await argon2Matches(hash, 'correct horse batterz')).toBe(false);
  expect(await argon2Matches(BY_NODE, 'correct horse battery')).toBe(true);
});
