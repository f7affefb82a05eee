import type { ArgumentSpec, OptionSpec, VerbSpec } from './verb.ts';

const NAME: ArgumentSpec = { name: 'NAME', about: "the model's name", complete: 'model' };
const REF: ArgumentSpec = { name: 'REF', about: 'churn:7, churn:1.2.0, churn@staging', complete: 'reference' };
const HOLD: ArgumentSpec = { name: 'HOLD', about: 'name of the hold: case-2026-17' };
const REASON: OptionSpec = { name: 'message', short: 'm', value: 'REASON', about: 'why, for the history' };
const DATABASE: readonly OptionSpec[] = [
  { name: 'db', value: 'ADDRESS', about: 'postgres://… (default: SQLite files in the state directory)', setting: 'db' },
  {
    name: 'state',
    value: 'DIR',
    about: 'directory of the server’s own files (default: ~/.ingot/server)',
    complete: 'directory',
    setting: 'state',
  },
];

/** Verbs of approvals, stages, holds, policies, and of the server's own tables. */
export const GOVERNANCE_VERBS: readonly VerbSpec[] = [
  {
    name: 'approve',
    about: 'say that an alias may name a version, or that it may be in a stage',
    group: 'store',
    args: [REF],
    options: [
      { name: 'alias', value: 'ALIAS', about: 'the alias (default: production)' },
      { name: 'stage', value: 'STAGE', about: 'or: the stage' },
      { name: 'withdraw', about: 'take back the approval that you have given' },
      REASON,
    ],
    examples: ['ingot approve churn:8 -m "looked at the report"', 'ingot approve churn:8 --stage Production'],
  },
  {
    name: 'stage',
    about: 'put a version in a stage; None takes it out',
    group: 'store',
    args: [REF, { name: 'STAGE', about: 'Staging, Production, Archived or None, or what the policy says' }],
    options: [REASON],
    examples: ['ingot stage churn:8 Staging -m "to be tried"'],
  },
  {
    name: 'hold',
    about: 'forbid deletion of a model or a version',
    group: 'store',
    verbs: [
      {
        name: 'set',
        about: 'forbid it until the hold is released',
        group: 'store',
        args: [{ ...REF, name: 'NAME|REF', about: 'churn (all versions) or churn:3' }, HOLD],
        options: [REASON],
        examples: ['ingot hold set churn:3 case-2026-17 -m "the court asks"'],
      },
      {
        name: 'release',
        about: 'end a hold',
        group: 'store',
        args: [NAME, HOLD],
        options: [REASON],
        examples: ['ingot hold release churn case-2026-17 -m settled'],
      },
      { name: 'ls', about: 'list the holds of a model', group: 'store', args: [NAME] },
    ],
  },
  {
    name: 'policy',
    about: 'say what must be so before something moves, at a registry server',
    group: 'server',
    verbs: [
      {
        name: 'export',
        about: 'print all policies as YAML',
        group: 'server',
        examples: ['ingot policy export > policy.yaml'],
      },
      {
        name: 'apply',
        about: 'set all policies, in place of those that there are',
        group: 'server',
        args: [{ name: 'FILE', about: 'YAML as export prints it', complete: 'file' }],
        examples: ['ingot policy apply policy.yaml'],
      },
    ],
  },
  {
    name: 'retention',
    about: 'let go the versions that no policy keeps, at a registry server',
    group: 'server',
    verbs: [
      {
        name: 'run',
        about: 'say which versions the policies let go, and release them',
        group: 'server',
        args: [{ ...NAME, optional: true, about: 'only of this model (default: all)' }],
        options: [
          { name: 'dry-run', about: 'only say which' },
          { name: 'yes', about: 'do not ask' },
        ],
        examples: ['ingot retention run --dry-run', 'ingot retention run team/churn --yes'],
      },
      {
        name: 'log',
        about: 'tell what runs of retention did, and when the next is due',
        group: 'server',
        options: [{ name: 'limit', value: 'N', about: 'how many runs (default: 20)' }],
      },
    ],
  },
  {
    name: 'backup',
    about: 'copy what is only the registry server’s into one file, while it runs',
    group: 'server',
    options: [{ name: 'output', short: 'o', value: 'FILE', about: 'the file', complete: 'file' }, ...DATABASE],
    examples: ['ingot backup -o ingot.backup'],
  },
  {
    name: 'restore',
    about: 'put a backup into an empty database of a registry server that does not run',
    group: 'server',
    args: [{ name: 'FILE', about: 'what `ingot backup` wrote', complete: 'file' }],
    options: DATABASE,
    examples: ['ingot restore ingot.backup', 'INGOT_DB=postgres://… ingot restore ingot.backup'],
  },
];
