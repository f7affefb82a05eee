import { machine, userInfo } from 'node:os';
import type { Capture, PlainSource } from '@ingot/core/capture';
import { IngotError } from '@ingot/core/errors';
import type { Context } from './context.ts';
import { changedFiles, gitAuthor, readGitState } from './git-state.ts';

/**
 * Gives what is known of a package that is pushed: what was captured, else what this machine tells of where it lies.
 * A package from a plain address has its source in place of a repository.
 * @throws IngotError `refused` when `--require-clean` is given and the working tree has uncommitted changes.
 */
export async function captureForPush(
  path: string,
  source: PlainSource | undefined,
  known: Capture | undefined,
  context: Context,
): Promise<Capture> {
  if (context.arguments.isOn('require-clean')) await requireClean(path, context);
  if (known !== undefined) return source === undefined ? known : { ...known, lineage: { ...known.lineage, source } };
  const [git, author] = await Promise.all([
    source === undefined ? readGitState(path, context) : undefined,
    authorOf(context),
  ]);
  const lineage = { ...(git !== undefined && { git }), ...(source !== undefined && { source }) };
  return {
    ...(author !== undefined && { author }),
    ...(Object.keys(lineage).length > 0 && { lineage }),
    // Named as Python names it. What lies elsewhere was made elsewhere.
    ...(source === undefined && { environment: { platform: `${process.platform}-${machine()}`, requirements: [] } }),
  };
}

async function authorOf(context: Context): Promise<string | undefined> {
  const { env } = context;
  return env.INGOT_AUTHOR || env.GIT_AUTHOR_NAME || (await gitAuthor(context)) || env.USER || env.LOGNAME || userName();
}

function userName(): string | undefined {
  try {
    return userInfo().username || undefined;
  } catch {
    // A container may run as a number that no user has.
    return undefined;
  }
}

async function requireClean(path: string, context: Context): Promise<void> {
  const files = await changedFiles(path, context);
  if (files?.length === 0) return;
  const shown = files?.slice(0, 10).join(', ');
  const more = (files?.length ?? 0) > 10 ? ` and ${(files?.length ?? 0) - 10} more` : '';
  throw new IngotError(
    'refused',
    files === undefined
      ? `--require-clean: ${path} is in no git repository with a commit`
      : `--require-clean: the working tree has uncommitted changes: ${shown}${more}`,
    { operation: 'push', hint: 'git commit, or git stash', details: { files: [...(files ?? [])] } },
  );
}
