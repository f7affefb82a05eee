import { accessSync, constants, lstatSync, statSync } from 'node:fs';
import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { IngotError, isIngotError, systemErrorCode } from '../errors.ts';
import { IGNORE_FILE, type IsIgnored, parseIgnore } from './ignore.ts';
import type { Problem } from './package.ts';
import { comparePaths, findCollision, whyUnsafePath } from './paths.ts';
import { readFailure } from './read-failure.ts';
import { type SourceFile, snapshotOf } from './source-file.ts';

/** What lies in a directory: its files in path order, and everything that is wrong with them. */
export interface Walk {
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
}

const ENTRIES_A_TURN = 256;

interface WalkState {
  readonly root: string;
  readonly isIgnored: IsIgnored;
  readonly files: SourceFile[];
  readonly problems: Problem[];
  readonly signal: AbortSignal | undefined;
}

/**
 * Lists the files of a directory in the order of their paths' UTF-8 bytes. Links to files and folders inside the
 * directory are followed; a link that leaves it, an unreadable file, a socket or pipe, and names that cannot live on
 * every system are problems. Nothing is read but names, facts and `.ingotignore`.
 */
export async function walkDirectory(directory: string, options: { readonly signal?: AbortSignal } = {}): Promise<Walk> {
  const root = await realpath(directory);
  const state: WalkState = {
    root,
    isIgnored: await readIgnore(root),
    files: [],
    problems: [],
    signal: options.signal,
  };
  await visitFolder(state, '', root, [root]);
  state.files.sort((a, b) => comparePaths(a.path, b.path));
  const collision = findCollision(state.files.map((file) => file.path));
  if (collision !== undefined) {
    state.problems.push({
      severity: 'error',
      rule: 'path.collision',
      message: `"${collision[0]}" and "${collision[1]}" are the same on systems that ignore case or Unicode form`,
      file: collision[1],
      fix: 'rename one of them',
    });
  }
  return { files: state.files, problems: state.problems };
}

async function readIgnore(root: string): Promise<IsIgnored> {
  const stats = await lstat(join(root, IGNORE_FILE)).catch(() => undefined);
  return parseIgnore(stats?.isFile() === true ? await readFile(join(root, IGNORE_FILE), 'utf8') : '');
}

async function visitFolder(
  state: WalkState,
  path: string,
  absolute: string,
  ancestors: readonly string[],
): Promise<void> {
  if (state.signal?.aborted) throw new IngotError('interrupted', 'reading the package was interrupted');
  let names: Buffer[];
  try {
    names = await readdir(absolute, { encoding: 'buffer' });
  } catch (error) {
    return unreadable(state, path === '' ? '.' : path, error);
  }
  if (names.length === 0 && path !== '') {
    state.problems.push({
      severity: 'warning',
      rule: 'package.empty-folder',
      message: `the folder ${path} is empty and is left out`,
      file: path,
      fix: 'put a file into it when the model needs it to exist',
    });
  }
  for (const [n, bytes] of names.entries()) {
    // Looking at a file does not wait, because waiting costs more than looking; others get their turn now and then.
    if (n % ENTRIES_A_TURN === ENTRIES_A_TURN - 1) await nextTurn();
    const name = bytes.toString('utf8');
    const child = path === '' ? name : `${path}/${name}`;
    if (!Buffer.from(name).equals(bytes)) {
      problem(state, 'path.not-utf8', child, `the file name is not valid UTF-8: ${escaped(bytes)}`, 'rename it');
    } else await visitEntry(state, child, join(absolute, name), ancestors);
  }
}

/** `m\\xe4.bin`: a name as a shell's `$'…'` takes it. */
function escaped(name: Buffer): string {
  return name.toString('latin1').replace(/[^ -~]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

async function visitEntry(
  state: WalkState,
  path: string,
  absolute: string,
  ancestors: readonly string[],
): Promise<void> {
  try {
    const own = lstatSync(absolute, { bigint: true });
    if (state.isIgnored(path, own.isDirectory())) return;
    const target = own.isSymbolicLink() ? await realpath(absolute) : absolute;
    if (own.isSymbolicLink() && !target.startsWith(state.root + sep)) {
      const where = target === state.root ? 'to the package itself' : `out of the package, to ${target}`;
      return problem(
        state,
        'path.link-outside',
        path,
        `the link ${path} leads ${where}`,
        'put a copy of the file in its place (cp -L)',
      );
    }
    const stats = own.isSymbolicLink() ? statSync(target, { bigint: true }) : own;
    if (stats.isDirectory()) return await visitLinked(state, path, target, ancestors);
    if (!stats.isFile()) {
      return problem(
        state,
        'path.special-file',
        path,
        `${path} is not a file (a socket, pipe or device)`,
        'remove it or name it in .ingotignore',
      );
    }
    const unsafe = whyUnsafePath(path);
    if (unsafe !== undefined)
      return problem(state, 'path.unsafe', path, `"${path}" cannot be stored: ${unsafe}`, 'rename it');
    if (path !== path.normalize('NFC')) warnDecomposed(state, path);
    accessSync(target, constants.R_OK);
    const executable = (stats.mode & 0o100n) !== 0n;
    state.files.push({
      path,
      absolute: target,
      sizeBytes: Number(stats.size),
      mode: executable ? 0o755 : 0o644,
      snapshot: snapshotOf(stats),
    });
  } catch (error) {
    unreadable(state, path, error);
  }
}

async function visitLinked(
  state: WalkState,
  path: string,
  target: string,
  ancestors: readonly string[],
): Promise<void> {
  if (ancestors.includes(target)) {
    return problem(
      state,
      'path.link-cycle',
      path,
      `the link ${path} leads back to a folder that holds it`,
      'remove the link',
    );
  }
  if (state.isIgnored(path, true)) return;
  if (path.split('/').length > 100)
    return problem(state, 'path.unsafe', path, `"${path}" lies more than 100 folders deep`, 'move it up');
  await visitFolder(state, path, target, [...ancestors, target]);
}

function problem(state: WalkState, rule: string, file: string, message: string, fix: string): void {
  state.problems.push({ severity: 'error', rule, message, file, fix });
}

function warnDecomposed(state: WalkState, path: string): void {
  state.problems.push({
    severity: 'warning',
    rule: 'path.not-nfc',
    message: `the name "${path}" is not in Unicode normal form C, so other systems may spell it differently`,
    file: path,
    fix: `rename it to "${path.normalize('NFC')}"`,
  });
}

function unreadable(state: WalkState, path: string, error: unknown): void {
  const code = systemErrorCode(error);
  if (code === undefined || isIngotError(error)) throw error;
  const failure = readFailure(error, path === '.' ? state.root : path);
  if (failure !== undefined) throw failure;
  if (code === 'ENOENT') {
    problem(
      state,
      'path.broken-link',
      path,
      `${path} leads to a file that does not exist`,
      'remove the link or bring the file back',
    );
  } else if (code === 'ELOOP') {
    problem(state, 'path.link-cycle', path, `the link ${path} leads to itself`, 'remove the link');
  } else
    problem(
      state,
      'path.unreadable',
      path,
      `${path} cannot be read (${code})`,
      `check its permissions: chmod u+r ${path}`,
    );
}
