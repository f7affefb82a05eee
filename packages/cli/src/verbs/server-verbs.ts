import type { VerbSpec } from './verb.ts';

/** Verbs of the registry server. */
export const SERVER_VERBS: readonly VerbSpec[] = [
  {
    name: 'up',
    about: 'run the registry server over the store',
    group: 'server',
    options: [
      { name: 'host', value: 'HOST', about: 'address to listen on (default: 127.0.0.1)', setting: 'host' },
      { name: 'port', value: 'PORT', about: 'port to listen on; 0 takes a free one (default: 8585)', setting: 'port' },
      {
        name: 'db',
        value: 'ADDRESS',
        about: 'postgres://… for several servers (default: SQLite files in the state directory)',
        setting: 'db',
      },
      {
        name: 'allowed-hosts',
        value: 'NAMES',
        about: 'names it answers to beside localhost, with commas between; * allows all',
        setting: 'allowed-hosts',
      },
      {
        name: 'webhook-hosts',
        value: 'HOSTS',
        about: 'private hosts and networks that webhooks may call, with commas between; * allows all',
        setting: 'webhook-hosts',
      },
      {
        name: 'retention-every',
        value: 'AGE',
        about: 'apply retention of the policies by itself: 1d, 12h (default: when somebody asks)',
        setting: 'retention-every',
      },
      {
        name: 'log',
        value: 'FORM',
        about: 'text, or json: one object a line, also for each request',
        complete: ['text', 'json'],
        setting: 'log',
      },
      {
        name: 'sign-in',
        value: 'FILE',
        about: 'who else vouches for people and build servers (OpenID Connect)',
        complete: 'file',
        setting: 'sign-in',
      },
      {
        name: 'state',
        value: 'DIR',
        about: 'directory of the server’s own files (default: ~/.ingot/server)',
        complete: 'directory',
        setting: 'state',
      },
    ],
    examples: ['ingot up', 'INGOT_REGISTRY=s3://models/prod INGOT_DB=postgres://… ingot up --host 0.0.0.0'],
  },
  {
    name: 'reindex',
    about: 'write the registry server’s index anew from the logs of the store',
    group: 'server',
    options: [
      {
        name: 'db',
        value: 'ADDRESS',
        about: 'postgres://… (default: SQLite files in the state directory)',
        setting: 'db',
      },
      {
        name: 'state',
        value: 'DIR',
        about: 'directory of the server’s own files (default: ~/.ingot/server)',
        complete: 'directory',
        setting: 'state',
      },
    ],
    examples: ['ingot reindex', 'INGOT_REGISTRY=s3://models/prod INGOT_DB=postgres://… ingot reindex'],
  },
  {
    name: 'deployments',
    about: 'tell which model servers answer, or answered, with which versions',
    group: 'server',
    args: [{ name: 'REF', about: 'churn or churn:7 (default: all models)', optional: true, complete: 'reference' }],
    options: [
      { name: 'at', value: 'TIME', about: 'at that time: 2026-05-14, 2026-05-14T10:00:00Z, -7d' },
      { name: 'from', value: 'TIME', about: 'at that time or later' },
      { name: 'to', value: 'TIME', about: 'not after that time' },
      { name: 'live', about: 'only servers that answer now' },
    ],
    examples: ['ingot deployments --live', 'ingot deployments churn:7 --from 2026-05 --to 2026-06'],
  },
];
