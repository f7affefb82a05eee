import type { VerbSpec } from './verb.ts';

/** Verbs about whole stores. */
export const MIRROR_VERBS: readonly VerbSpec[] = [
  {
    name: 'mirror',
    resumes: true,
    about: 'copy a store or registry with all histories to another address, and again what is new',
    group: 'store',
    args: [
      { name: 'SRC', about: 'a path, a storage address or a registry server', complete: 'directory' },
      {
        name: 'DST',
        about: 'an empty address, an earlier mirror of the same store, or a registry server',
        optional: true,
        complete: 'directory',
      },
    ],
    options: [
      { name: 'model', value: 'NAME', about: 'copy this model only', many: true, complete: 'model' },
      { name: 'no-aliases', about: 'leave aliases of DST where they are, where a server is at one end' },
      { name: 'dry-run', about: 'say what would be copied, write nothing' },
      { name: 'detach', about: 'make the mirror SRC a store of its own, for good: it takes writes from then on' },
    ],
    examples: [
      'ingot mirror s3://models/team /mnt/standby',
      'ingot mirror ~/.ingot/store gs://models-backup --model churn',
      'ingot mirror https://models.example.com /mnt/standby',
      'ingot mirror --detach /mnt/standby',
    ],
  },
];
