import type { VerbSpec } from './verb.ts';

/** Verbs about models that lie in plain directories and buckets. */
export const SOURCE_VERBS: readonly VerbSpec[] = [
  {
    name: 'import',
    resumes: true,
    about: 'make models with history of files in a directory or bucket',
    group: 'package',
    args: [
      { name: 'ADDRESS', about: 'a directory, a bucket or a pattern, like s3://bucket/models/', complete: 'file' },
    ],
    options: [
      { name: 'name', value: 'NAME', about: "the model's name, when the address holds one model" },
      { name: 'object-versions', about: 'make versions of what a versioned bucket kept of each file, too' },
      { name: 'dry-run', about: 'say what would be imported' },
    ],
    examples: ['ingot import ./models/ --dry-run', "ingot import 's3://bucket/models/churn_v*.pkl' --name churn"],
  },
];
