import type { Run } from '../context.ts';

/** Where the code of each verb is; loaded when the verb is typed. */
const LOADERS: Readonly<Record<string, () => Promise<{ readonly run: Run }>>> = {
  init: () => import('./init.ts'),
  validate: () => import('./validate.ts'),
  push: () => import('./push.ts'),
  pull: () => import('./pull.ts'),
  lock: () => import('./lock.ts'),
  import: () => import('./import.ts'),
  ls: () => import('./ls.ts'),
  search: () => import('./search.ts'),
  lineage: () => import('./lineage.ts'),
  deployments: () => import('./deployments.ts'),
  show: () => import('./show.ts'),
  types: () => import('./types.ts'),
  diff: () => import('./diff.ts'),
  edit: () => import('./edit.ts'),
  'alias set': () => import('./alias-set.ts'),
  'alias rm': () => import('./alias-rm.ts'),
  'alias ls': () => import('./alias-ls.ts'),
  promote: () => import('./promote.ts'),
  rollback: () => import('./rollback.ts'),
  history: () => import('./history.ts'),
  rename: () => import('./rename.ts'),
  retire: () => import('./retire.ts'),
  rm: () => import('./rm.ts'),
  mirror: () => import('./mirror.ts'),
  check: () => import('./check.ts'),
  gc: () => import('./gc.ts'),
  stats: () => import('./stats.ts'),
  up: () => import('./up.ts'),
  reindex: () => import('./reindex.ts'),
  login: () => import('./login.ts'),
  logout: () => import('./logout.ts'),
  'token create': () => import('./token-create.ts'),
  'token ls': () => import('./token-ls.ts'),
  'token revoke': () => import('./token-revoke.ts'),
  'account add': () => import('./account-add.ts'),
  'account ls': () => import('./account-ls.ts'),
  'account rm': () => import('./account-rm.ts'),
  grant: () => import('./grant.ts'),
  'audit verify': () => import('./audit-verify.ts'),
  'audit export': () => import('./audit-export.ts'),
  serve: () => import('./serve.ts'),
  predict: () => import('./predict.ts'),
  'config show': () => import('./config-show.ts'),
  doctor: () => import('./doctor.ts'),
  completion: () => import('./completion.ts'),
  'cache ls': () => import('./cache-ls.ts'),
  'cache prune': () => import('./cache-prune.ts'),
  'cache verify': () => import('./cache-verify.ts'),
};

/** Loads the code of a verb by its path. */
export async function loadCommand(path: readonly string[]): Promise<Run> {
  const loader = LOADERS[path.join(' ')];
  if (loader === undefined) throw new Error(`no code for "${path.join(' ')}"`);
  return (await loader()).run;
}
