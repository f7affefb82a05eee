import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'vitest';
import { DirectoryFlushes } from './directory-flushes.ts';

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ingot-flushes-'));
  mkdirSync(join(root, 'a'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

/** How often directories below the root are open in this process. */
function openCount(): number {
  return readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(root);
    } catch {
      return false; // That of the listing itself.
    }
  }).length;
}

const closing = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 20));

test.skipIf(process.platform !== 'linux')(
  'a directory is opened once for many flushes, also for those at once',
  async () => {
    const flushes = new DirectoryFlushes();
    const path = join(root, 'a');
    await Promise.all([flushes.flush(path), flushes.flush(path), flushes.flush(path)]);
    for (let n = 0; n < 5; n += 1) await flushes.flush(path);
    await closing();
    assert.equal(openCount(), 1);
  },
);

test.skipIf(process.platform !== 'linux')(
  'of a directory that has taken its name, the one that is there is flushed',
  async () => {
    const flushes = new DirectoryFlushes();
    const path = join(root, 'a');
    await flushes.flush(path);
    renameSync(path, join(root, 'b'));
    await assert.rejects(flushes.flush(path), { code: 'ENOENT' });
    mkdirSync(path);
    await flushes.flush(path);
    await closing();
    const open = readdirSync('/proc/self/fd').flatMap((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`);
      } catch {
        return [];
      }
    });
    assert.deepEqual(
      open.filter((target) => target.startsWith(root)),
      [path],
    );
  },
);
