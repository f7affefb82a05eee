import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { createLocalBlobStore } from '../blob/local.ts';
import { compileForChild } from '../blob/testing/child.ts';
import type { Digest } from '../digest.ts';
import { all, CHURN, draftOf, published } from './conformance/case.ts';
import { openLogRegistry } from './open.ts';
import { openRememberedStates } from './remembered.ts';
import type { HistoryEntry } from './registry.ts';

interface Published {
  readonly number: number;
  readonly manifest: Digest;
}

interface Moved {
  readonly alias: string;
  readonly from: number | null;
  readonly to: number;
}

let base = '';
let script = '';

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ingot-registry-e2e-'));
  script = await compileForChild(new URL('./testing/writer.ts', import.meta.url), base);
});

afterAll(() => rm(base, { recursive: true, force: true }));

/** Starts a writer; `killAfter` lines it is killed without a warning. Gives what it acknowledged. */
async function writer(args: readonly string[], killAfter = Number.POSITIVE_INFINITY): Promise<(Published | Moved)[]> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let errors = '';
  child.stderr.on('data', (piece) => {
    errors += piece;
  });
  child.stdout.on('data', (piece) => {
    text += piece;
    if (text.split('\n').length > killAfter) child.kill('SIGKILL');
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (killAfter === Number.POSITIVE_INFINITY) assert.equal(code, 0, errors);
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line): Published | Moved => JSON.parse(line));
}

const isPublished = (line: Published | Moved): line is Published => 'manifest' in line;
const isMoved = (line: Published | Moved): line is Moved => 'alias' in line;

function open(directory: string) {
  return openLogRegistry({ blobs: createLocalBlobStore(directory), actor: 'test' });
}

/** Follows the aliases through the history, checking that each move starts where the one before ended. */
function followAliases(history: readonly HistoryEntry[]): { moves: string[]; aliases: Record<string, number> } {
  const aliases: Record<string, number> = {};
  const moves: string[] = [];
  for (const { kind, body } of history) {
    if (kind !== 'alias-set') continue;
    const { alias, from, number } = body;
    assert.ok(typeof alias === 'string' && typeof number === 'number');
    assert.equal(from, aliases[alias] ?? null, 'an alias moved from where nobody had put it');
    aliases[alias] = number;
    moves.push(`${alias} ${from} ${number}`);
  }
  return { moves, aliases };
}

async function checkedHistory(directory: string): Promise<HistoryEntry[]> {
  const history = await all(open(directory).history(CHURN));
  assert.deepEqual(
    history.map(({ seq }) => seq),
    history.map((_, index) => index + 1),
  );
  const [model = ''] = await readdir(join(directory, 'models'));
  assert.equal((await readdir(join(directory, 'models', model, 'log'))).length, history.length);
  return history;
}

describe('a directory that many processes write at once', () => {
  test('has one gapless log, every acknowledged version and no lost alias move after 32 of them', async () => {
    const directory = join(base, 'thirty-two');
    const caches = (n: number) => (n % 2 === 0 ? [join(base, `cache-${n % 4}`)] : []);
    const writers = Array.from({ length: 32 }, (_, n) => writer([directory, `writer-${n}`, '3', ...caches(n)]));
    const lines = (await Promise.all(writers)).flat();

    const acknowledged = lines.filter(isPublished);
    assert.equal(acknowledged.length, 96);
    assert.equal(new Set(acknowledged.map(({ number }) => number)).size, 96);
    const view = await open(directory).model(CHURN);
    assert.deepEqual(
      view.all.map(({ number, manifest }) => ({ number, manifest })),
      acknowledged.toSorted((a, b) => b.number - a.number),
    );

    const { moves, aliases } = followAliases(await checkedHistory(directory));
    const told = lines.filter(isMoved).map(({ alias, from, to }) => `${alias} ${from} ${to}`);
    assert.deepEqual(moves.toSorted(), told.toSorted());
    assert.deepEqual(view.aliases, aliases);
    assert.equal((await readdir(join(directory, 'names', 'log'))).length, 1);

    const memory = openRememberedStates({ directory: join(base, 'cache-0') });
    const remembering = openLogRegistry({ blobs: createLocalBlobStore(directory), actor: 'test', memory });
    assert.deepEqual(await remembering.model(CHURN), view);
  });

  test('keeps whole events only, and goes on, when writers are killed', async () => {
    const directory = join(base, 'killed');
    await published(open(directory), 'first');
    const runs = Array.from({ length: 12 }, (_, n) => writer([directory, `victim-${n}`, '50'], 1 + ((n * 7) % 13)));
    const acknowledged = (await Promise.all(runs)).flat().filter(isPublished);
    assert.ok(acknowledged.length >= 12);

    const { version } = await open(directory).publish(CHURN, draftOf('after the storm'));
    const history = await checkedHistory(directory);
    const standing = new Map(
      (await open(directory).model(CHURN)).all.map(({ number, manifest }) => [number, manifest]),
    );
    for (const { number, manifest } of acknowledged) assert.equal(standing.get(number), manifest);
    assert.equal(version.number, standing.size);
    assert.equal(history.filter(({ kind }) => kind === 'version-published').length, standing.size);
    followAliases(history);
  });
});
