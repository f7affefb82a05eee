import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { changedFiles, gitAuthor, readGitState } from './git-state.ts';

const directory = mkdtempSync(join(tmpdir(), 'ingot-git-'));
const env = { PATH: process.env.PATH, HOME: directory };
const options = { cwd: directory, env, signal: new AbortController().signal };
const git = (...args: string[]): void => {
  execFileSync('git', ['-c', 'user.name=ana', '-c', 'user.email=ana@example.org', ...args], {
    cwd: directory,
    env,
    stdio: 'ignore',
  });
};

afterAll(() => rmSync(directory, { recursive: true }));

it('tells commit, branch, remote without a password, and changes; and runs nothing that the repository names', async () => {
  const file = join(directory, 'model.pkl');
  expect(await readGitState(file, options)).toBeUndefined();
  git('init', '-b', 'main');
  writeFileSync(file, 'one');
  git('add', '.');
  git('commit', '-m', 'first');
  git('remote', 'add', 'origin', 'https://ana:secret@example.org/team/churn.git');
  expect(await readGitState(file, options)).toEqual({
    commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    branch: 'main',
    remote: 'https://example.org/team/churn.git',
    dirty: false,
  });

  const trace = join(directory, 'it-ran');
  writeFileSync(join(directory, '.gitattributes'), '* filter=surprise\n');
  git('config', 'filter.surprise.clean', `touch ${trace}; cat`);
  git('config', 'core.fsmonitor', `touch ${trace}`);
  writeFileSync(file, 'two');
  expect(await readGitState(file, options)).toMatchObject({
    dirty: true,
    diff: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
  });
  writeFileSync(join(directory, 'new.py'), '');
  writeFileSync(join(directory, 'notes.txt'), '');
  expect(await changedFiles(file, options)).toEqual(['model.pkl', 'new.py']);
  expect(await gitAuthor(options)).toBeUndefined();
  git('config', 'user.name', 'Ana');
  expect(await gitAuthor(options)).toBe('Ana');
  expect(existsSync(trace)).toBe(false);
  expect(await readGitState('/elsewhere/model.pkl', options)).toBeUndefined();

  git('remote', 'remove', 'origin');
  git('checkout', '--detach', '--force');
  expect(await readGitState(file, options)).toEqual({ commit: expect.stringMatching(/^[0-9a-f]{40}$/), dirty: false });
});
