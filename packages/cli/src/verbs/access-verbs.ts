import type { OptionSpec, VerbSpec } from './verb.ts';

const ROLES = ['reader', 'pusher', 'promoter', 'admin'];
const ON: OptionSpec = {
  name: 'on',
  value: 'SCOPE',
  about: 'where it counts: team/, a model, or * (default: the server)',
};
const ALIAS: OptionSpec = {
  name: 'alias',
  value: 'ALIAS',
  about: 'a promoter moves only this alias; may be repeated',
  many: true,
};
const ROLE: OptionSpec = { name: 'role', value: 'ROLE', about: 'reader, pusher, promoter or admin', complete: ROLES };
const NAME = { name: 'NAME', about: 'of the account: letters, digits and . _ @ + -' };
const URL_ARGUMENT = { name: 'URL', about: 'https://models.example.com (default: the registry)', optional: true };

/** Verbs of people and permission at a registry server. */
export const ACCESS_VERBS: readonly VerbSpec[] = [
  {
    name: 'login',
    about: 'get a token of a registry server and keep it',
    group: 'server',
    args: [URL_ARGUMENT],
    options: [
      {
        name: 'name',
        value: 'NAME',
        about: 'sign in with the password of this account (typed, or from standard input)',
      },
      { name: 'with-token', about: 'keep a token that comes from standard input' },
    ],
    examples: [
      'ingot login https://models.example.com --name ana',
      'ingot login https://models.example.com --with-token < token',
    ],
  },
  { name: 'logout', about: 'end the token that is kept for a server', group: 'server', args: [URL_ARGUMENT] },
  {
    name: 'token',
    about: 'make, list and end tokens at a registry server',
    group: 'server',
    verbs: [
      {
        name: 'create',
        about: 'make a token; it is shown once',
        group: 'server',
        args: [{ name: 'NAME', about: 'what it is for: ci' }],
        options: [
          { name: 'service', about: 'nobody’s: it may what --role says' },
          { name: 'account', value: 'NAME', about: 'whose it is (default: yours)' },
          ROLE,
          ON,
          ALIAS,
          { name: 'expires', value: 'DAYS', about: 'when it ends (default: never)' },
        ],
        examples: ['ingot token create ci --service --role pusher --on team/ --expires 90'],
      },
      { name: 'ls', about: 'list tokens', group: 'server' },
      {
        name: 'revoke',
        about: 'end a token',
        group: 'server',
        args: [{ name: 'ID', about: 'as ingot token ls shows it' }],
      },
    ],
  },
  {
    name: 'account',
    about: 'make, list and remove accounts of a registry server',
    group: 'server',
    verbs: [
      {
        name: 'add',
        about: 'make an account; its password is typed, or comes from standard input',
        group: 'server',
        args: [NAME],
        options: [ROLE, ON, ALIAS],
        examples: ['ingot account add ana', 'ingot account add ben --role pusher --on team/'],
      },
      { name: 'ls', about: 'list accounts and what they may do', group: 'server' },
      {
        name: 'rm',
        about: 'remove an account with its tokens',
        group: 'server',
        args: [NAME],
        options: [{ name: 'yes', about: 'do not ask' }],
      },
    ],
  },
  {
    name: 'grant',
    about: 'give an account a role at a registry server',
    group: 'server',
    args: [NAME, { name: 'ROLE', about: 'reader, pusher, promoter or admin', complete: ROLES }],
    options: [ON, ALIAS, { name: 'remove', about: 'take it back' }],
    examples: ['ingot grant ana promoter --on churn --alias staging', 'ingot grant ana admin --remove'],
  },
  {
    name: 'audit',
    about: 'prove what happened',
    group: 'store',
    verbs: [
      {
        name: 'verify',
        about: 'check the history of the store, or an evidence file',
        group: 'store',
        args: [{ name: 'FILE', about: 'an evidence file (default: the store)', optional: true, complete: 'file' }],
        options: [
          { name: 'checkpoint', value: 'FILE', about: 'signed checkpoints that were kept elsewhere', complete: 'file' },
          {
            name: 'key',
            value: 'FILE',
            about: 'public key that must have signed: a PEM file, or its name',
            complete: 'file',
          },
          { name: 'events', about: 'tell the events of an evidence file, too' },
        ],
        examples: [
          'ingot audit verify',
          'ingot audit verify --checkpoint checkpoints.json',
          'ingot audit verify churn.json --key ed25519:…',
        ],
      },
      {
        name: 'export',
        about: 'write all evidence about a model and a period into one signed file',
        group: 'store',
        args: [{ name: 'NAME', about: 'a model', complete: 'model' }],
        options: [
          { name: 'from', value: 'TIME', about: 'first moment, like 2026-05-01' },
          { name: 'to', value: 'TIME', about: 'last moment' },
          { name: 'output', short: 'o', value: 'FILE', about: 'where the file goes', complete: 'file' },
        ],
        examples: ['ingot audit export churn --from 2026-05-01 --to 2026-06-01 -o churn.json'],
      },
      {
        name: 'flagged',
        about: 'list moves of protected aliases that were made past the server, and are not followed',
        group: 'server',
      },
      {
        name: 'accept',
        about: 'let count what a protected alias names though it was moved past the server',
        group: 'server',
        args: [
          { name: 'NAME', about: 'a model', complete: 'model' },
          { name: 'ALIAS', about: 'the alias that was moved' },
        ],
        examples: ['ingot audit accept churn production'],
      },
    ],
  },
];
