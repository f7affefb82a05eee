import { LOCK_OPTIONS } from './lock-options.ts';
import type { OptionSpec, VerbSpec } from './verb.ts';

const NAME: OptionSpec = {
  name: 'name',
  value: 'NAME',
  about: "the model's name, instead of the one in metadata.yaml",
};
const LABEL: OptionSpec = { name: 'label', value: 'LABEL', about: "the author's own version text, like 1.2.0" };

/** Verbs about a package on this machine. */
export const PACKAGE_VERBS: readonly VerbSpec[] = [
  {
    name: 'init',
    about: 'write the missing parts of a package beside an artifact',
    group: 'package',
    args: [{ name: 'PATH', about: 'an artifact or the directory it is in', complete: 'file' }],
    examples: ['ingot init churn/', 'ingot init model.pkl'],
  },
  {
    name: 'validate',
    about: 'print what would be stored and every problem; store nothing',
    group: 'package',
    args: [
      { name: 'PATH', about: 'a package directory, a model file, or where they lie, like s3://…', complete: 'file' },
    ],
    options: [NAME],
    examples: ['ingot validate churn/'],
  },
  {
    name: 'push',
    resumes: true,
    about: 'store a package as a new version',
    group: 'package',
    args: [
      { name: 'PATH', about: 'a package directory, a model file, or where they lie, like s3://…', complete: 'file' },
    ],
    options: [
      NAME,
      LABEL,
      { name: 'alias', value: 'ALIAS', about: 'point this alias at the version', many: true },
      { name: 'tag', value: 'K=V', about: 'add a tag', many: true },
      { name: 'metric', value: 'K=V', about: 'add a metric', many: true },
      { name: 'message', short: 'm', value: 'TEXT', about: 'say what is new' },
      {
        name: 'captured',
        value: 'FILE',
        about: 'a JSON document of what was captured while training',
        complete: 'file',
      },
      {
        name: 'base',
        value: 'REF',
        about: 'another version, of any model, to share contents with',
        many: true,
        complete: 'reference',
      },
      { name: 'require-clean', about: 'refuse when git has uncommitted changes, naming the files' },
      { name: 'lock', about: 'resolve all that the requirements need, with hashes, and record it' },
      { name: 'compress', about: 'store float32 weights smaller, where that helps', setting: 'compress' },
    ],
    examples: ['ingot push churn/ --alias staging --metric auc=0.97', 'ingot push model.onnx --name churn'],
  },
  {
    name: 'pull',
    resumes: true,
    about: "write a version's files to a directory",
    group: 'package',
    args: [
      {
        name: 'SOURCE',
        about: 'churn, churn:7, churn@production, ./models/churn_v*.pkl, …',
        many: true,
        complete: 'reference',
      },
    ],
    options: [
      {
        name: 'output',
        short: 'o',
        value: 'DIR',
        about: 'where to (default: a directory named after the model)',
        complete: 'directory',
      },
      {
        name: 'link',
        value: 'HOW',
        about: 'how files come from the cache: auto, reflink, copy, or hard (read-only)',
        complete: ['auto', 'reflink', 'copy', 'hard'],
      },
      { name: 'cached', about: 'give a read-only directory in the cache instead' },
      { name: 'follow', about: 'with --cached: go on, and say when the source names another version' },
      { name: 'environment', about: 'with --cached: build its Python environment too, and say where it is' },
      {
        name: 'verify',
        value: 'HOW',
        about: 'with --cached: marks trusts what was verified and untouched since; always reads every byte',
        complete: ['marks', 'always'],
      },
      ...LOCK_OPTIONS,
    ],
    examples: ['ingot pull churn@production -o ./churn'],
  },
  {
    name: 'lock',
    about: 'pin references to the versions they name now, in ingot.lock',
    group: 'package',
    args: [
      {
        name: 'REF',
        about: 'what to pin (default: compare what is pinned with the store)',
        optional: true,
        many: true,
        complete: 'reference',
      },
    ],
    options: [
      { name: 'update', about: 'pin anew what is pinned already' },
      { name: 'lock', value: 'FILE', about: 'the file (default: ingot.lock)', complete: 'file', setting: 'lock' },
    ],
    examples: ['ingot lock churn@production wine', 'ingot lock --update', 'ingot lock'],
  },
];
