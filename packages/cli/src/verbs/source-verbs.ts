import type { VerbSpec } from './verb.ts';

/** Verbs about models that lie in plain directories and buckets. */
export const SOURCE_VERBS: readonly VerbSpec[] = [
  {
    name: 'import',
    resumes: true,
    about: 'make models with history of files in a directory or bucket, or bring in a bundle',
    group: 'package',
    args: [
      {
        name: 'ADDRESS',
        about: 'a directory, a bucket or a pattern, like s3://bucket/models/; or a file that ingot export made',
        complete: 'file',
      },
    ],
    options: [
      { name: 'name', value: 'NAME', about: "the model's name, when the address holds one model" },
      { name: 'object-versions', about: 'make versions of what a versioned bucket kept of each file, too' },
      { name: 'no-aliases', about: 'leave aliases where they are, whatever a bundle says' },
      { name: 'dry-run', about: 'say what would be imported' },
    ],
    examples: [
      'ingot import churn.tar',
      'ingot import ./models/ --dry-run',
      "ingot import 's3://bucket/models/churn_v*.pkl' --name churn",
    ],
  },
  {
    name: 'export',
    about: 'write versions into one file with history and wheels, or push them as OCI artifacts',
    group: 'package',
    args: [{ name: 'REF', about: 'churn:7, churn@production', complete: 'reference', many: true }],
    options: [
      {
        name: 'output',
        short: 'o',
        value: 'TARGET',
        about: 'churn.tar, oci:DIR, oci-archive:FILE or oci://HOST/NAME:TAG',
        complete: 'file',
      },
      { name: 'all-versions', about: 'all versions of the models that are named' },
      {
        name: 'platform',
        value: 'PLATFORM',
        about: 'wheels for linux/amd64 or linux/arm64 (default: where it was locked)',
        many: true,
      },
      {
        name: 'python-version',
        value: 'VERSION',
        about: 'wheels for 3.11 (default: what the model was made with)',
      },
      { name: 'no-wheels', about: 'leave out the wheels' },
    ],
    examples: [
      'ingot export churn@production -o churn.tar',
      'ingot export churn fraud@staging -o models.tar --platform linux/arm64',
      'ingot export churn@production -o oci:/media/stick/layout',
    ],
  },
];
