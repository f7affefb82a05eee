import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { compileForChild } from '../../../core/src/blob/testing/child.ts';
import { digestOf, inPieces, raw } from './raw-http.ts';

const MIB = 1024 * 1024;
// Where packages of the project are found: the database is not bundled.
const CACHE = fileURLToPath(new URL('../../../../.cache', import.meta.url));
const NOTHING = { headers: { 'content-length': 0 } };

let directory = '';
let program = '';
let running: ChildProcess | undefined;

beforeAll(async () => {
  await mkdir(CACHE, { recursive: true });
  directory = await mkdtemp(join(CACHE, 'killed-'));
  const external = ['@photostructure/sqlite', '@node-rs/argon2', 'pg', /\.node$/];
  program = await compileForChild(new URL('./server-child.ts', import.meta.url), directory, external);
});

afterAll(async () => {
  await killed();
  await rm(directory, { recursive: true, force: true });
});

async function started(): Promise<string> {
  running = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  assert(running.stdout !== null);
  const [line] = await once(running.stdout, 'data');
  return String(line).trim();
}

async function killed(): Promise<void> {
  if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
  running.kill('SIGKILL');
  await once(running, 'exit');
}

test('a server that is killed in the middle of a part keeps the parts before it, and nothing of that one', async () => {
  const bytes = randomBytes(24 * MIB);
  const digest = digestOf(bytes);
  let url = await started();
  const begun = await raw('POST', `${url}/v2/killed/blobs/uploads/`, NOTHING);
  const at = begun?.headers.location ?? assert.fail();
  const first = await raw('PATCH', url + at, { body: inPieces(bytes.subarray(0, 2 * MIB)) });
  assert.equal(first?.status, 202);

  // Most of the rest: packs of it stand already when the server goes.
  const second = request(url + at, { method: 'PATCH', agent: false });
  second.on('error', () => {});
  second.write(bytes.subarray(2 * MIB, 20 * MIB));
  const packs = async (): Promise<number> => {
    let total = 0;
    for await (const { sizeBytes } of createLocalBlobStore(join(directory, 'store')).list('packs/')) total += sizeBytes;
    return total;
  };
  await expect.poll(packs, { timeout: 20_000 }).toBeGreaterThan(8 * MIB);
  await killed();

  url = await started();
  const status = await raw('GET', url + at);
  assert.deepEqual([status?.status, status?.headers.range], [204, `0-${2 * MIB - 1}`]);
  assert.equal((await raw('HEAD', `${url}/v2/killed/blobs/${digest}`))?.status, 404);
  const rest = { 'content-range': `${2 * MIB}-${24 * MIB - 1}` };
  const again = await raw('PATCH', url + at, { headers: rest, body: inPieces(bytes.subarray(2 * MIB)) });
  assert.equal(again?.status, 202);
  await killed();

  url = await started();
  assert.equal((await raw('PUT', `${url}${at}?digest=${digest}`, NOTHING))?.status, 201);
  await killed();

  url = await started();
  const got = await raw('GET', `${url}/v2/killed/blobs/${digest}`);
  assert(got?.body.equals(bytes));
}, 60_000);
