import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
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
  const dirty = changes !== '';
  const diff = dirty ? await diffDigest(withoutPrograms(filters), options) : undefined;
  return {
    commit,
    dirty,
    ...(diff !== undefined && { diff }),
    ...(branch !== DETACHED && { branch }),
    ...(remote !== undefined && { remote: redactAddress(remote).replace('***@', '') }),
  };
}

/**
 * Names the files that differ from the commit, and new ones that hold code; undefined outside a repository with a commit.
 */
export async function changedFiles(path: string, options: GitOptions): Promise<readonly string[] | undefined> {
  const top = await git(['rev-parse', '--show-toplevel'], options);
  if (top === undefined || !(await isInside(path, top))) return undefined;
  if ((await git(['rev-parse', '--verify', 'HEAD'], options)) === undefined) return undefined;
  const { filters } = await configured(options);
  const status = ['status', '--porcelain', '--untracked-files=all', '--ignore-submodules', '-z'];
  const told = await git([...withoutPrograms(filters), ...status], options, { trims: false });
  return told === undefined ? undefined : filesOf(told);
}

function filesOf(status: string): string[] {
  const files: string[] = [];
  const entries = status.split('\0');
  for (let at = 0; at < entries.length; at += 1) {
    const [kind, path] = [entries[at]?.slice(0, 2) ?? '', entries[at]?.slice(3) ?? ''];
    if (path === '') continue;
    if (kind !== '??' || /\.(?:py|ipynb)$/.test(path)) files.push(path);
    // A move is followed by where it came from.
    if (/[RC]/.test(kind)) at += 1;
  }
  return files;
}

/** Who git is told makes commits: `Ada <ada@example.org>`; undefined where it is told nobody. */
export async function gitAuthor(options: GitOptions): Promise<string | undefined> {
  const told = await git(['config', '--null', '--get-regexp', '^user\\.(name|email)$'], options);
  const said = new Map(
    (told ?? '').split('\0').map((entry) => [entry.split('\n', 1)[0], entry.replace(/^[^\n]*\n?/, '')]),
  );
  const [name, address] = [said.get('user.name'), said.get('user.email')];
  return name && address ? `${name} <${address}>` : name || address || undefined;
}

/** Digest of the uncommitted changes; undefined when git fails or takes too long. */
function diffDigest(settings: readonly string[], { cwd, env, signal }: GitOptions): Promise<string | undefined> {
  const how = ['--binary', '--full-index', '--no-ext-diff', '--no-textconv', '--no-color', '--ignore-submodules'];
  const hash = createHash('sha256');
  return new Promise((resolve) => {
    const child = spawn('git', [...settings, 'diff', 'HEAD', ...how], {
      cwd,
      env: { ...env, GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' },
      timeout: TIMEOUT_MS,
      signal,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.stdout.on('data', (piece: Uint8Array) => hash.update(piece));
    child.on('error', () => resolve(undefined));
    child.on('close', (status) => resolve(status === 0 ? `sha256:${hash.digest('hex')}` : undefined));
  });
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

function git(
  args: readonly string[],
  { cwd, env, signal }: GitOptions,
  { trims = true }: { readonly trims?: boolean } = {},
): Promise<string | undefined> {
  const environment = { ...env, GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' };
  return new Promise((resolve) => {
    execFile('git', [...args], { cwd, env: environment, timeout: TIMEOUT_MS, signal }, (error, stdout) => {
      resolve(error === null ? (trims ? stdout.trim() : stdout) : undefined);
    });
  });
}
