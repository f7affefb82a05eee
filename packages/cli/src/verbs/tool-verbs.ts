import type { VerbSpec } from './verb.ts';

/** The shells that `completion` writes for. */
export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;

/** Verbs about this installation. */
export const TOOL_VERBS: readonly VerbSpec[] = [
  {
    name: 'config',
    about: 'show settings and where they come from',
    group: 'tool',
    verbs: [
      {
        name: 'show',
        about: 'print every setting',
        group: 'tool',
        options: [{ name: 'origin', about: 'say where each value comes from' }],
        examples: ['ingot config show --origin'],
      },
    ],
  },
  { name: 'doctor', about: 'check this machine and the store', group: 'tool' },
  {
    name: 'completion',
    about: 'print a completion script for a shell',
    group: 'tool',
    args: [{ name: 'SHELL', about: 'bash, zsh, fish or powershell', complete: SHELLS }],
    examples: ['source <(ingot completion bash)'],
  },
  {
    name: 'cache',
    about: 'look at and shrink the local cache',
    group: 'tool',
    verbs: [
      { name: 'ls', about: 'list what is cached', group: 'tool' },
      {
        name: 'prune',
        about: 'remove what was not used for longest',
        group: 'tool',
        options: [
          { name: 'keep', value: 'SIZE', about: 'keep at most this much (default: INGOT_CACHE_SIZE, else 20GB)' },
          { name: 'dry-run', about: 'say what would be removed' },
        ],
        examples: ['ingot cache prune --keep 5GB'],
      },
      {
        name: 'verify',
        about: 'read cached packages and compare every byte; remove damaged ones',
        group: 'tool',
        options: [{ name: 'older-than', value: 'DAYS', about: 'only those not verified for so many days' }],
        examples: ['ingot cache verify', 'ingot cache verify --older-than 30'],
      },
    ],
  },
];
