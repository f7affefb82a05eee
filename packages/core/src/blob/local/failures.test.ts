import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { IngotError } from '../../errors.ts';
import { translated } from './failures.ts';

const failed = (code: string) => Object.assign(new Error(code), { code });

describe('a failure of the file system', () => {
  test('for want of space is disk-full, with the path and the free bytes of its disk', async () => {
    for (const code of ['ENOSPC', 'EDQUOT']) {
      const path = join(tmpdir(), 'not/there/yet');
      const error = await translated(failed(code), 'blob.write', path);
      assert.equal(error.code, 'disk-full');
      assert.equal(error.details.path, path);
      assert.ok(Number(error.details.freeBytes) > 0);
      assert.match(error.hint ?? '', /ingot gc/);
      assert.match(error.message, /not\/there\/yet, \d+ bytes are free/);
    }
  });

  test('for want of rights is forbidden, with the path', async () => {
    for (const code of ['EACCES', 'EPERM', 'EROFS']) {
      const error = await translated(failed(code), 'blob.write', '/srv/models/x');
      assert.equal(error.code, 'forbidden');
      assert.equal(error.message, `write of /srv/models/x is not allowed (${code})`);
    }
  });

  test('for want of rights names who opens it, and a command that leaves the files of others alone', async () => {
    const error = await translated(failed('EACCES'), 'blob.read', '/x', '/');
    const isMine = process.getuid?.() === 0;
    assert.match(error.hint ?? '', isMine ? /^chmod -R u\+rwX \/$/ : /^user 0, .* find \/ -user 0 -exec chmod g\+rwX/);
  });

  test('of a disk or a mount names it, and what to look at', async () => {
    const error = await translated(failed('EIO'), 'blob.write', '/mnt/models/x');
    assert.match(error.message, /^write of \/mnt\/models\/x failed: the disk, or what is mounted there, .*\(EIO\)$/);
    assert.match(error.hint ?? '', /dmesg.*rclone/);
  });

  test('of any other kind is unavailable and can be repeated', async () => {
    for (const code of ['EIO', 'ESTALE', 'EMFILE', 'EBUSY', 'ETIMEDOUT']) {
      const error = await translated(failed(code), 'blob.read', '/srv/models/x');
      assert.deepEqual({ code: error.code, retryable: error.retryable }, { code: 'unavailable', retryable: true });
    }
  });

  test('that was explained already stays as it is, and a defect is unexpected', async () => {
    const explained = new IngotError('integrity', 'explained');
    assert.equal(await translated(explained, 'blob.read', '/x'), explained);
    assert.equal((await translated(new TypeError('oops'), 'blob.read', '/x')).code, 'unexpected');
  });
});
