import type { ArgumentSpec, OptionSpec, VerbSpec } from './verb.ts';

const WEBHOOK: ArgumentSpec = { name: 'NAME', about: 'the webhook, by its name or id' };
const WITH_SECRET: OptionSpec = {
  name: 'with-secret',
  about: 'the secret is typed, or comes from standard input (default: a new one)',
};

/** Verbs of webhooks at a registry server. */
export const WEBHOOK_VERBS: readonly VerbSpec[] = [
  {
    name: 'webhook',
    about: 'have addresses told what happens at a registry server',
    group: 'server',
    verbs: [
      {
        name: 'add',
        about: 'have an address told; the secret that signs is shown once',
        group: 'server',
        args: [
          { name: 'NAME', about: 'what it is for: ci' },
          { name: 'URL', about: 'https://ci.example.com/hook' },
        ],
        options: [
          { name: 'event', value: 'TYPE', about: 'alias.moved, alias.*, * (default: *); may be repeated', many: true },
          { name: 'model', value: 'NAME', about: 'only of this model, or of team/; may be repeated', many: true },
          { name: 'description', value: 'TEXT', about: 'what it is for' },
          WITH_SECRET,
          { name: 'unsigned', about: 'deliveries are not signed' },
        ],
        examples: ['ingot webhook add ci https://ci.example.com/hook --event "alias.*" --model team/'],
      },
      { name: 'ls', about: 'list webhooks', group: 'server' },
      {
        name: 'test',
        about: 'send a ping at once, and say what came of it',
        group: 'server',
        args: [WEBHOOK],
        examples: ['ingot webhook test ci'],
      },
      {
        name: 'rm',
        about: 'remove a webhook with the record of its deliveries',
        group: 'server',
        args: [WEBHOOK],
        options: [{ name: 'yes', about: 'do not ask' }],
      },
      {
        name: 'deliveries',
        about: 'tell what was sent, newest first',
        group: 'server',
        args: [WEBHOOK],
        options: [
          { name: 'limit', value: 'N', about: 'how many (default: 50)' },
          { name: 'failed', about: 'only those that are not tried any more' },
        ],
        examples: ['ingot webhook deliveries ci --failed'],
      },
      {
        name: 'replay',
        about: 'send deliveries again',
        group: 'server',
        args: [WEBHOOK, { name: 'DELIVERY', about: 'its id', optional: true }],
        options: [{ name: 'failed', about: 'all that are not tried any more' }],
        examples: ['ingot webhook replay ci --failed'],
      },
      { name: 'enable', about: 'begin to send again', group: 'server', args: [WEBHOOK] },
      { name: 'disable', about: 'send nothing until it is enabled', group: 'server', args: [WEBHOOK] },
      {
        name: 'rotate',
        about: 'give it a new secret, which is shown once',
        group: 'server',
        args: [WEBHOOK],
        options: [WITH_SECRET],
        examples: ['ingot webhook rotate ci'],
      },
    ],
  },
];
