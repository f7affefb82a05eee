import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, test } from 'vitest';
import { cached } from './cache.mjs';

const base = mkdtempSync(join(tmpdir(), 'ingot-cached-'));
let roots = 0;

function freshRoot() {
  roots += 1;
  return join(base, String(roots));
}

afterAll(() => rmSync(base, { recursive: true, force: true }));

test('what is made once is given to everybody who asks, at once or later', async () => {
  const root = freshRoot();
  let made = 0;
  const make = async (directory) => {
    made += 1;
    await new Promise((resolve) => setImmediate(resolve));
    writeFileSync(join(directory, 'tool'), 'whole');
  };
  const directories = await Promise.all([1, 2, 3].map(() => cached('tool-1', make, { root })));
  assert.equal(new Set([...directories, await cached('tool-1', make, { root })]).size, 1);
  assert.equal(made, 1);
  assert.equal(readFileSync(join(directories[0], 'tool'), 'utf8'), 'whole');
  assert.deepEqual(readdirSync(root), ['tool-1']);
});

test('what could not be made is an error, and is made anew by the next who asks', async () => {
  const root = freshRoot();
  const failing = async (directory) => {
    writeFileSync(join(directory, 'half'), '');
    throw new Error('no network');
  };
  await assert.rejects(cached('tool-1', failing, { root }), /no network/);
  const directory = await cached('tool-1', async (into) => writeFileSync(join(into, 'tool'), ''), { root });
  assert.ok(existsSync(join(directory, 'tool')) && !existsSync(join(directory, 'half')));
});

test('what a killed process left half-made, with its lock, is made anew', async () => {
  const root = freshRoot();
  const dead = spawnSync(process.execPath, ['-e', 'process.stdout.write(String(process.pid))']).stdout.toString();
  mkdirSync(join(root, 'tool-1.lock'), { recursive: true });
  writeFileSync(join(root, 'tool-1.lock', 'pid'), dead);
  mkdirSync(join(root, 'tool-1'));
  writeFileSync(join(root, 'tool-1', 'half'), '');
  const directory = await cached('tool-1', async (into) => writeFileSync(join(into, 'tool'), ''), { root });
  assert.deepEqual(readdirSync(directory).sort(), ['.ready', 'tool']);
  assert.deepEqual(readdirSync(root), ['tool-1']);
});
