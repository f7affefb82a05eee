/**
 * The public conformance program of the distribution specification judges the server, where its path is given:
 * `OCI_CONFORMANCE_PROGRAM=/path/to/program`. The same clauses are tests of their own beside this file.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { trialServer } from '../trial-server.ts';

const PROGRAM = process.env.OCI_CONFORMANCE_PROGRAM ?? '';
const TIME_MS = 300_000;

/** What a run came to, and what went wrong in it. */
interface Judged {
  readonly tests: number;
  readonly failures: readonly string[];
  /** What was not judged: what a version does not have, or a client of its kind does not ask for. */
  readonly skipped: readonly string[];
}

async function judged(over: Readonly<Record<string, string>>): Promise<Judged> {
  const results = await mkdtemp(join(tmpdir(), 'ingot-conformance-'));
  try {
    const env = { PATH: process.env.PATH, OCI_TLS: 'disabled', OCI_RESULTS_DIR: results, ...over };
    const program = spawn(PROGRAM, { env, stdio: 'ignore', cwd: results });
    await once(program, 'exit');
    const report = await readFile(join(results, 'junit.xml'), 'utf8');
    const cases = [...report.matchAll(/<testcase name="([^"]*)"[^>]* status="(\w+)"/g)];
    const those = (...wanted: string[]) =>
      cases.flatMap(([, name = '', status = '']) => (wanted.includes(status) ? name : []));
    return { tests: cases.length, failures: those('failure', 'error'), skipped: those('skipped') };
  } finally {
    await rm(results, { recursive: true });
  }
}

describe.skipIf(PROGRAM === '')('the conformance program', () => {
  for (const [version, least, unknown] of [
    ['1.1', 600, 'post cancel'],
    ['dev', 600, 'nothing'],
    ['1.0', 600, '(?:post cancel|anonymous|referrers)'],
  ] as const)
    test(`finds nothing wrong by version ${version} of the specification`, { timeout: TIME_MS }, async () => {
      await using server = await trialServer({ host: '127.0.0.1' });
      const { tests, failures, skipped } = await judged({
        OCI_REGISTRY: new URL(server.url).host,
        OCI_VERSION: version,
      });
      assert.deepEqual(failures, []);
      assert.deepEqual(
        skipped.filter((name) => !new RegExp(unknown).test(name)),
        [],
      );
      assert.ok(tests > least, `only ${tests} cases were run`);
    });

  test('finds nothing wrong where everybody has to sign in', { timeout: TIME_MS }, async () => {
    await using server = await trialServer();
    const who = { OCI_USERNAME: 'any', OCI_PASSWORD: server.firstToken };
    const at = { OCI_REGISTRY: new URL(server.url).host, OCI_VERSION: 'dev' };
    const { failures, skipped } = await judged({ ...at, ...who });
    assert.deepEqual(failures, []);
    // Its token is for one repository: nothing is taken from others that it does not name.
    assert.deepEqual(
      skipped.filter((name) => !name.includes('mount anonymous')),
      [],
    );
  });
});
