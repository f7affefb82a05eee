import type { OptionSpec } from './verb.ts';

/** Flags of the verbs that use what a lock file pins. */
export const LOCK_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'lock',
    value: 'FILE',
    about: 'file that pins references (default: ingot.lock here, where there is one)',
    complete: 'file',
    setting: 'lock',
  },
  { name: 'locked', about: 'refuse what the lock file does not pin', setting: 'locked' },
];
