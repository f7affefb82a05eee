import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import type { GitState } from '@ingot/core/capture';
import { redactAddress } from '@ingot/core/blob/address';

const TIMEOUT_MS = 10_000;

/** Where git is asked and for what. */
export interface GitOptions {
  /** The working directory: its repository counts, and only if the package lies in it. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/**
 * Reads commit, branch, remote and dirty flag of the repository that a package lies in; undefined without one. A
 * package may bring a `.git` of its own, so no program that its configuration names is run.
 */
export async function readGitState(path: string, options: GitOptions): Promise<GitState | undefined> {
  const top = await git(['rev-parse', '--show-toplevel'], options);
  if (top === undefined || !(await isInside(path, top))) return undefined;
  const commit = await git(['rev-parse', '--verify', 'HEAD'], options);
  if (commit === undefined) return undefined;
  const changes = await git(
    [...(await withoutPrograms(options)), 'status', '--porcelain', '--untracked-files=no', '--ignore-submodules'],
    options,
  );
  const branch = await git(['symbolic-ref', '--quiet', '--short', 'HEAD'], options);
  const remote = await git(['config', '--get', 'remote.origin.url'], options);
  return {
    commit,
    dirty: changes !== '',
    ...(branch !== undefined && { branch }),
    ...(remote !== undefined && { remote: redactAddress(remote).replace('***@', '') }),
  };
}

async function isInside(path: string, top: string): Promise<boolean> {
  const inner = await realpath(path).catch(() => path);
  const outer = await realpath(top).catch(() => top);
  return inner === outer || inner.startsWith(outer + sep);
}

/** `git status` may run a file monitor and clean filters; what the repository configures of them is replaced. */
async function withoutPrograms(options: GitOptions): Promise<string[]> {
  const names = await git(['config', '--name-only', '--get-regexp', '^filter\\..*\\.(clean|process)$'], options);
  const filters = [
    ...new Set((names ?? '').split('\n').flatMap((name) => name.match(/^filter\.(.+)\.(?:clean|process)$/)?.[1] ?? [])),
  ];
  const off = ['core.fsmonitor=false', 'core.hooksPath=/dev/null'];
  for (const filter of filters)
    off.push(`filter.${filter}.clean=`, `filter.${filter}.process=`, `filter.${filter}.required=false`);
  return off.flatMap((setting) => ['-c', setting]);
}

function git(args: readonly string[], { cwd, env, signal }: GitOptions): Promise<string | undefined> {
  const environment = { ...env, GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' };
  return new Promise((resolve) => {
    execFile('git', [...args], { cwd, env: environment, timeout: TIMEOUT_MS, signal }, (error, stdout) => {
      resolve(error === null ? stdout.trim() : undefined);
    });
  });
}
