import type { ArgumentSpec, OptionSpec, VerbSpec } from './verb.ts';

const NAME: ArgumentSpec = { name: 'NAME', about: "the model's name", complete: 'model' };
const REF: ArgumentSpec = {
  name: 'REF',
  about: 'churn, churn:7, churn:1.2.0, churn@production',
  complete: 'reference',
};
const ALIAS: ArgumentSpec = { name: 'ALIAS', about: 'a movable name, like production' };
const REASON: OptionSpec = { name: 'message', short: 'm', value: 'REASON', about: 'why, for the history' };

/** Verbs about what is stored. */
export const STORE_VERBS: readonly VerbSpec[] = [
  {
    name: 'ls',
    about: 'list models, or the versions of one',
    group: 'store',
    args: [{ ...NAME, optional: true }],
    options: [
      { name: 'sort', value: 'KEY', about: 'name, changed, versions, size or metrics.NAME (best first)' },
      { name: 'where', value: 'EXPR', about: 'only models or versions that a search finds; see ingot search' },
    ],
    examples: ['ingot ls', 'ingot ls churn --sort metrics.auc', 'ingot ls churn --where "metrics.auc > 0.9"'],
  },
  {
    name: 'search',
    about: 'find versions of all models',
    group: 'store',
    args: [
      {
        name: 'EXPR',
        about: 'words, and fields compared with values: stage = Production, metrics.auc >= 0.9, package:numpy < 2',
        optional: true,
        many: true,
      },
    ],
    options: [
      { name: 'sort', value: 'KEYS', about: 'like "metrics.auc desc, published" (default: published desc)' },
      { name: 'limit', value: 'N', about: 'show so many at most (default: 100)' },
    ],
    examples: [
      'ingot search churn stage = Production',
      'ingot search "metrics.auc >= 0.9 AND NOT tags.team = growth" --sort "metrics.auc desc"',
      'ingot search "package:scikit-learn < 1.5 AND published > -30d"',
    ],
  },
  {
    name: 'lineage',
    about: 'tell what a version came from, and what came of it',
    group: 'store',
    args: [REF],
    options: [
      { name: 'up', about: 'only what it came from' },
      { name: 'down', about: 'only what came of it' },
      { name: 'depth', value: 'N', about: 'steps from version to version, 0 to 20 (default: 5)' },
    ],
    examples: ['ingot lineage churn@production', 'ingot lineage base:3 --down'],
  },
  {
    name: 'show',
    about: 'show all that is known of a version',
    group: 'store',
    args: [REF],
    options: [
      { name: 'card', about: 'print the model card alone, as Markdown' },
      { name: 'at', value: 'TIME', about: 'what it meant then: 2026-11-01, 2026-11-01T12:00:00Z' },
    ],
    examples: ['ingot show churn@production', 'ingot show churn --card > card.md'],
  },
  {
    name: 'types',
    about: 'print TypeScript types of what a model takes and answers',
    group: 'store',
    args: [REF],
    examples: ['ingot types churn@production > churn.ts'],
  },
  {
    name: 'diff',
    about: 'compare two versions',
    group: 'store',
    args: [
      { ...REF, name: 'A', about: 'churn, churn:7, churn@production, or a path like ./models/churn.pkl' },
      { ...REF, name: 'B', about: 'likewise' },
    ],
    options: [
      {
        name: 'fail-on',
        value: 'WHAT',
        about: 'exit 6 when B is that, by a metric (worse) or its training data (drift)',
        many: true,
        complete: ['breaking', 'unknown', 'different', 'worse', 'drift'],
      },
    ],
    examples: [
      'ingot diff churn@production churn',
      'ingot diff churn@production churn --fail-on breaking',
      'ingot diff churn ./churn',
    ],
  },
  {
    name: 'edit',
    about: "change a version's description, model card, tags or metrics",
    group: 'store',
    args: [REF],
    options: [
      { name: 'description', value: 'TEXT', about: 'what it is' },
      {
        name: 'card',
        value: 'FILE',
        about: 'another model card (Markdown); an empty file gives back the first one',
        complete: 'file',
      },
      { name: 'tag', value: 'K=V', about: 'set a tag; K= removes it', many: true },
      { name: 'metric', value: 'K=V', about: 'set a metric', many: true },
    ],
    examples: ['ingot edit churn:7 --tag team=growth'],
  },
  {
    name: 'alias',
    about: 'point movable names at versions',
    group: 'store',
    verbs: [
      {
        name: 'set',
        about: 'point an alias at a version',
        group: 'store',
        args: [NAME, ALIAS, REF],
        options: [REASON],
        examples: ['ingot alias set churn candidate churn:8'],
      },
      { name: 'rm', about: 'remove an alias', group: 'store', args: [NAME, ALIAS], options: [REASON] },
      { name: 'ls', about: "list a model's aliases", group: 'store', args: [NAME] },
    ],
  },
  {
    name: 'promote',
    about: 'point production (or another alias) at a version',
    group: 'store',
    args: [REF, { ...ALIAS, optional: true, about: 'the alias to move (default: production)' }],
    options: [
      REASON,
      { name: 'from', value: 'REGISTRY', about: 'bring it from this registry: an address, or a name of `registries`' },
      {
        name: 'to',
        value: 'REGISTRY',
        about: 'bring it into this registry, with its history; its alias moves',
      },
      { name: 'dry-run', about: 'say whether it may move, and what is missing' },
    ],
    examples: [
      'ingot promote churn:8 -m "better AUC"',
      'ingot promote churn:8 --dry-run',
      'ingot promote churn@candidate --from staging --to production',
    ],
  },
  {
    name: 'gate',
    about: 'say whether a version may become production: what changes, which conditions fail',
    group: 'store',
    args: [REF, { ...ALIAS, optional: true, about: 'the alias it would have (default: production)' }],
    options: [
      {
        name: 'fail-on',
        value: 'WHAT',
        about: 'fail also for that: breaking for callers, a worse metric, drifted data, …',
        many: true,
        complete: ['breaking', 'unknown', 'different', 'worse', 'drift'],
      },
      { name: 'from', value: 'REGISTRY', about: 'the registry that the version is in' },
      { name: 'to', value: 'REGISTRY', about: 'the registry whose alias and conditions count' },
      { name: 'markdown', about: 'print a comment for a merge request' },
    ],
    examples: [
      'ingot gate churn:8 --fail-on breaking',
      'ingot gate churn@candidate --from staging --to production --markdown',
    ],
  },
  {
    name: 'rollback',
    about: 'point an alias back at the version it named before',
    group: 'store',
    args: [
      { name: 'NAME[@ALIAS]', about: 'the model, and the alias to move (default: production)', complete: 'reference' },
    ],
    options: [{ name: 'to', value: 'REF', about: 'this version instead', complete: 'reference' }, REASON],
    examples: ['ingot rollback churn -m "drift in tenure"'],
  },
  {
    name: 'history',
    about: 'tell what happened to a model',
    group: 'store',
    args: [{ ...NAME, about: 'a model; with --origin a version of it: churn:3' }],
    options: [{ name: 'origin', about: 'tell what happened to it in the registry that the version came from' }],
    examples: ['ingot history churn', 'ingot history churn@production --origin'],
  },
  {
    name: 'rename',
    about: 'give a model another name',
    group: 'store',
    args: [NAME, { name: 'NEW', about: 'the new name' }],
    options: [REASON],
  },
  {
    name: 'retire',
    about: 'keep a version, but stop resolving to it by default',
    group: 'store',
    args: [REF],
    options: [REASON],
    examples: ['ingot retire churn:3 -m "trained on leaked data"'],
  },
  {
    name: 'rm',
    about: 'delete a model or a version',
    group: 'store',
    args: [{ name: 'NAME|REF', about: 'churn (all versions) or churn:3', complete: 'reference' }],
    options: [{ name: 'yes', about: 'do not ask' }, { name: 'dry-run', about: 'say what would be deleted' }, REASON],
    examples: ['ingot rm churn:3 --dry-run', 'ingot rm churn:3 --yes -m "trained on leaked data"'],
  },
];
