/** What goes over the native API about people and permission. */

import { z } from 'zod';
import { type Grant, ROLES } from '../../access/grants.ts';
import { Moment } from './schemas.ts';

function list<T extends z.ZodType>(item: T): z.ZodType<readonly z.output<T>[], readonly z.input<T>[]> {
  return z.array(item);
}

export const AccountName = z.string().min(1).max(100).describe('Letters, digits and `. _ @ + -`.');

export const GrantBody = z.strictObject({
  role: z.enum(ROLES),
  scope: z
    .string()
    .min(1)
    .max(201)
    .default('*')
    .describe('`*`: the server; `team/`: a namespace; `team/churn`: a model.'),
  aliases: list(z.string().min(1).max(100)).optional().describe('Only these aliases may be moved.'),
});

export const GrantRecord = z.object({
  role: z.enum(ROLES),
  scope: z.string(),
  aliases: list(z.string()).optional(),
});

export const AccountRecord = z.object({
  name: AccountName,
  signsInWith: z.enum(['password', 'oidc']),
  disabled: z.boolean(),
  createdAt: Moment,
  createdBy: z.string(),
  grants: list(GrantRecord),
});

export const TokenRecord = z.object({
  id: z.string(),
  name: z.string(),
  account: z.string().nullable().describe('Whose it is; null: a service of its own.'),
  scopes: list(GrantRecord).nullable().describe('What it is limited to; null: all that the account may.'),
  createdAt: Moment,
  createdBy: z.string(),
  expiresAt: Moment.nullable(),
  revokedAt: Moment.nullable(),
  lastUsedAt: Moment.nullable(),
});

export const NewTokenRecord = TokenRecord.extend({
  token: z.string().describe('The token itself; it is never shown again.'),
});

export const WhoRecord = z.object({
  name: z.string(),
  kind: z.enum(['user', 'token', 'open', 'nobody']),
  authenticated: z.boolean(),
});

export const Password = z.string().min(1).max(1000);

/** A grant as it was asked for. */
export function grantOf({ role, scope, aliases }: z.output<typeof GrantBody>): Grant {
  return aliases === undefined ? { role, scope } : { role, scope, aliases };
}
