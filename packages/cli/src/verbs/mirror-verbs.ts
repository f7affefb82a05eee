import type { VerbSpec } from './verb.ts';

/** Verbs about whole stores. */
export const MIRROR_VERBS: readonly VerbSpec[] = [
  {
    name: 'mirror',
    about: 'copy a store with all histories to another address',
    group: 'store',
    args: [
      { name: 'SRC', about: 'the store: a path or a storage address' },
      { name: 'DST', about: 'an empty address, or an earlier mirror of the same store' },
    ],
    options: [{ name: 'dry-run', about: 'say what would be copied, write nothing' }],
    examples: ['ingot mirror s3://models/team /mnt/standby', 'ingot mirror ~/.ingot/store gs://models-backup'],
  },
];
