/** DVC: files in a cache, linked into a Git repository, pushed to a remote; every version is a commit with a tag. */
import { cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bytesUnder, fresh, STORAGE_HOME } from '../../lib/folders.mjs';
import { dvc } from '../../../scripts/lib/bench-peers.mjs';
import { run } from '../../../scripts/lib/run.mjs';

/** Hard links between cache and work tree, as its documentation advises for large files. @param remote a bucket; default: a directory. */
export async function dvcContender({ remote } = {}) {
  const python = await dvc();
  const at = (name) => join(STORAGE_HOME, 'stores/dvc', name);
  const repository = at('repository');
  const env = environmentOf(python, remote);
  const git = (...args) => ({ command: 'git', args: ['-c', 'init.defaultBranch=main', ...args], env, cwd: repository });
  const dvcIn = (cwd, ...args) => ({ command: join(dirname(python), 'dvc'), args: [...args, '--quiet'], env, cwd });
  const setUp = [
    git('init', '--quiet'),
    dvcIn(repository, 'init'),
    dvcIn(repository, 'config', 'cache.type', 'reflink,hardlink,copy'),
    dvcIn(repository, 'remote', 'add', '--default', 'store', remote === undefined ? at('remote') : `s3://${remote.bucket}/dvc`),
    ...(remote === undefined ? [] : [dvcIn(repository, 'remote', 'modify', 'store', 'endpointurl', remote.endpoint)]),
    git('add', '--all'),
    git('commit', '--quiet', '-m', 'start'),
  ];
  return {
    key: 'dvc',
    name: 'DVC, hard links',
    isFlushed: false,
    rounds: 1,
    scattered: false,
    ...remote?.contest,
    async prepare() {
      fresh('stores/dvc/repository');
      await remote?.empty();
      for (const { command, args, cwd } of setUp) await run(command, args, { env, cwd, label: `dvc: ${args.join(' ')}` });
    },
    // What is pushed lies in the work tree, as if it had been made there.
    async before(step, folder) {
      if (step !== 'push v1' && step !== 'push v2') return;
      rmSync(join(repository, 'model'), { recursive: true, force: true });
      cpSync(folder, join(repository, 'model'), { recursive: true });
    },
    push: (variant) => [
      dvcIn(repository, 'add', 'model'),
      git('add', 'model.dvc', '.gitignore'),
      git('commit', '--quiet', '--allow-empty', '-m', variant),
      git('tag', '--force', variant),
      dvcIn(repository, 'push'),
    ],
    pull: (variant) => [
      variant === 'v1' ? git('clone', '--quiet', '--branch', variant, repository, at('clone')) : git('-C', at('clone'), 'checkout', '--quiet', variant),
      dvcIn(at('clone'), 'pull'),
    ],
    pulledFolder: () => join(at('clone'), 'model'),
    storedBytes: remote?.storedBytes ?? (async () => bytesUnder(at('remote'))),
  };
}

function environmentOf(python, remote) {
  const home = fresh('caches/dvc');
  const person = { NAME: 'bench', EMAIL: 'bench@localhost' };
  const identity = Object.entries(person).flatMap(([key, value]) => [[`GIT_AUTHOR_${key}`, value], [`GIT_COMMITTER_${key}`, value]]);
  return {
    ...process.env,
    ...remote?.env,
    ...Object.fromEntries(identity),
    PATH: `${dirname(python)}:${process.env.PATH}`,
    HOME: home,
    GIT_CONFIG_GLOBAL: '/dev/null',
    DVC_NO_ANALYTICS: '1',
    DVC_SITE_CACHE_DIR: join(home, 'site'),
    DVC_GLOBAL_CONFIG_DIR: join(home, 'config'),
    DVC_SYSTEM_CONFIG_DIR: join(home, 'system'),
  };
}
