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
  const head = await git(['rev-parse', '--show-toplevel', 'HEAD', '--abbrev-ref', 'HEAD'], options);
  const [branch = DETACHED, commit, ...top] = head?.split('\n').reverse() ?? [];
  // A path may hold line feeds.
  if (commit === undefined || !(await isInside(path, top.reverse().join('\n')))) return undefined;
  const { remote, filters } = await configured(options);
  const changes = await git(
    [...withoutPrograms(filters), 'status', '--porcelain', '--untracked-files=no', '--ignore-submodules'],
    options,
  );
  return {
    commit,
    dirty: changes !== '',
    ...(branch !== DETACHED && { branch }),
    ...(remote !== undefined && { remote: redactAddress(remote).replace('***@', '') }),
  };
}

/** What git calls the branch when there is none. */
const DETACHED = 'HEAD';

async function isInside(path: string, top: string): Promise<boolean> {
  const inner = await realpath(path).catch(() => path);
  const outer = await realpath(top).catch(() => top);
  return inner === outer || inner.startsWith(outer + sep);
}

/** Where the repository came from, and the names of its filters. */
async function configured(
  options: GitOptions,
): Promise<{ readonly remote: string | undefined; readonly filters: ReadonlySet<string> }> {
  const wanted = '^(remote\\.origin\\.url|filter\\..*\\.(clean|process))$';
  const filters = new Set<string>();
  let remote: string | undefined;
  for (const entry of (await git(['config', '--null', '--get-regexp', wanted], options))?.split('\0') ?? []) {
    const [, key = '', value] = /^([^\n]*)\n?(.*)$/s.exec(entry) ?? [];
    const filter = /^filter\.(.+)\.(?:clean|process)$/.exec(key)?.[1];
    if (filter !== undefined) filters.add(filter);
    else if (key !== '') remote = value;
  }
  return { remote, filters };
}

/** `git status` may run a file monitor and clean filters; what the repository configures of them is replaced. */
function withoutPrograms(filters: ReadonlySet<string>): string[] {
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
