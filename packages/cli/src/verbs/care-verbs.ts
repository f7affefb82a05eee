import type { VerbSpec } from './verb.ts';

/** Verbs that care for a store. */
export const CARE_VERBS: readonly VerbSpec[] = [
  {
    name: 'check',
    about: 'find what is damaged, and mend it from another store',
    group: 'store',
    options: [
      { name: 'read-data', about: 'read and hash all contents too, not only what lists them' },
      {
        name: 'repair-from',
        value: 'STORE',
        about: 'mend with verified copies from a mirror, or any store with the same contents',
        complete: 'directory',
      },
      { name: 'threads', value: 'N', about: 'threads that hash (default: one for each core, at most 8)' },
    ],
    examples: ['ingot check --read-data', 'ingot check --read-data --repair-from /mnt/standby'],
  },
  {
    name: 'gc',
    about: 'release old versions, and delete what nothing needs any more',
    group: 'store',
    options: [
      { name: 'keep-last', value: 'N', about: 'release versions that are not among the newest N of their model' },
      { name: 'keep-aliased', about: 'release versions that no alias names (aliased ones are always kept)' },
      { name: 'older-than', value: 'AGE', about: 'release only versions older than this: 90d, 12h' },
      { name: 'model', value: 'NAME', about: 'release versions of this model only', complete: 'model' },
      { name: 'grace', value: 'AGE', about: 'leave alone what is younger, and give up older uploads (default: 24h)' },
      {
        name: 'repack-below',
        value: 'PERCENT',
        about: 'rewrite packs of which less than this is needed; 0 for none (default: 50)',
      },
      { name: 'exclusive', about: 'nobody else uses the store now: needed where listings may be stale' },
      { name: 'dry-run', about: 'say what would go and why' },
      { name: 'yes', about: 'do not ask before versions are released' },
    ],
    examples: [
      'ingot gc --dry-run',
      'ingot gc --keep-last 10 --older-than 90d --yes',
      'ingot gc --keep-aliased --model churn --dry-run',
    ],
  },
  {
    name: 'stats',
    about: 'weigh what versions come to against what is stored for them',
    group: 'store',
    examples: ['ingot stats', 'ingot stats --json'],
  },
];
