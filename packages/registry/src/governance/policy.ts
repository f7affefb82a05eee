/**
 * A *policy* says what must be so before something moves: which aliases and stages are *protected*, by how many
 * approvals and which *conditions*; which stages there are; whether moves need a reason; what *retention* lets go. It is
 * set for a *scope*: the server (`*`), a namespace (`team/`) or a model. What protects adds up over all scopes that a
 * model is in, so that a narrower one can ask for more and never for less; of stages and retention the narrowest counts.
 */

import { IngotError } from '@ingot/core/errors';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import { z } from 'zod';
import { type ConditionOptions, parseCondition } from './conditions.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: it stands in the OpenAPI document, and few tools know `\p`
const PRINTABLE = /^[^\x00-\x1f\x7f-\x9f]+$/;

const PATTERN = z
  .string()
  .min(1)
  .max(100)
  .regex(PRINTABLE, 'no control characters')
  .refine((text) => !/\p{C}/u.test(text), 'no control characters');

const Conditions = z.array(z.string().min(1).max(4000)).max(50);

/** What must be so before an alias names a version, or a version is in a stage. */
export const Protection = z.strictObject({
  approvals: z.number().int().min(0).max(100).default(0).describe('How many people must have approved.'),
  by: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(100)
    .default(['promoter', 'admin'])
    .describe('Whose approvals count: roles, or names of accounts and tokens.'),
  notAuthor: z.boolean().default(false).describe('Whether the approval of whoever published it counts for nothing.'),
  validDays: z.number().int().min(1).max(36_500).optional().describe('How long an approval counts. Default: always.'),
  conditions: Conditions.default([]).describe('`auc >= 0.95 and latency_p95_ms <= 15`; all must hold.'),
  removal: z.enum(['refused', 'allowed']).default('refused').describe('Whether the alias may be taken away.'),
  reasons: z.enum(['required', 'optional']).default('optional'),
});

/** What retention keeps: a version goes when nothing here keeps it. */
export const Retention = z.strictObject({
  keepLast: z.number().int().min(0).max(1_000_000).default(1).describe('The newest so many.'),
  keepLabelled: z.boolean().default(false).describe('Those that have a label of their own.'),
  olderThanDays: z.number().min(0).max(36_500).default(0).describe('Those published less than so many days ago.'),
});

/** What is said of one scope. */
export const Policy = z.strictObject({
  stages: z.array(PATTERN).min(1).max(50).optional().describe('Stages there are, besides none.'),
  reasons: z.enum(['required', 'optional']).optional().describe('Whether every move says why.'),
  aliases: z.record(PATTERN, Protection).optional().describe('By alias; `*` stands for any letters.'),
  stageRules: z.record(PATTERN, Protection).optional().describe('By stage.'),
  retention: Retention.optional(),
});

/** All policies of a server, by scope. */
export const Policies = z.strictObject({
  policies: z.record(z.string().min(1).max(200), Policy),
});

export type Protection = z.output<typeof Protection>;
export type Retention = z.output<typeof Retention>;
export type Policy = z.output<typeof Policy>;
export type PolicyDocument = z.output<typeof Policies>;

/** A protection with where it was set. */
export interface Guard extends Protection {
  readonly scope: string;
  readonly pattern: string;
}

/** Stages where no policy says other ones. */
export const DEFAULT_STAGES: readonly string[] = ['None', 'Staging', 'Production', 'Archived'];

/**
 * Reads policies, and checks all that can be checked: scopes, conditions, patterns.
 * @throws IngotError `invalid-request` naming the place.
 */
export function parsePolicies(value: unknown, options: ConditionOptions): PolicyDocument {
  const document = readPolicies(value);
  for (const [scope, policy] of Object.entries(document.policies)) {
    parseScope(scope);
    for (const guards of [policy.aliases, policy.stageRules])
      for (const [pattern, { conditions }] of Object.entries(guards ?? {}))
        for (const condition of conditions) checkCondition(condition, `${scope}.${pattern}`, options);
  }
  return document;
}

/** Reads policies that were checked when they were set. Throws `invalid-request` naming the place. */
export function readPolicies(value: unknown): PolicyDocument {
  const parsed = Policies.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw wrong(issue?.path.map(String).join('.') ?? '', issue?.message ?? 'it is malformed');
}

function checkCondition(condition: string, where: string, options: ConditionOptions): void {
  try {
    parseCondition(condition, options);
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    throw wrong(where, error.message);
  }
}

function wrong(where: string, what: string): IngotError {
  return new IngotError('invalid-request', `the policy is wrong at ${where === '' ? 'its top' : where}: ${what}`, {
    hint: 'ingot policy export   (shows the form)',
    details: { at: where },
  });
}

/** Checks a scope. Throws `invalid-name`, `invalid-request`. */
export function parseScope(scope: string): string {
  if (scope === '*') return scope;
  // A namespace is the first half of a model's name.
  parseModelName(scope.endsWith('/') ? `${scope}any` : scope);
  return scope;
}

/** Scopes that a model is in, the widest first. */
export function scopesOf(model: ModelName): string[] {
  const slash = model.indexOf('/');
  return slash < 0 ? ['*', model] : ['*', model.slice(0, slash + 1), model];
}

/** The policies that count for a model, the widest scope first. */
export function policiesFor(model: ModelName, { policies }: PolicyDocument): [scope: string, policy: Policy][] {
  return scopesOf(model).flatMap((scope): [string, Policy][] => {
    const policy = Object.hasOwn(policies, scope) ? policies[scope] : undefined;
    return policy === undefined ? [] : [[scope, policy]];
  });
}

/** What is protected: an alias, or a stage. */
export type Goal = { readonly kind: 'alias' | 'stage'; readonly name: string };

/** All that protects an alias or a stage of a model. */
export function guardsOf(model: ModelName, goal: Goal, document: PolicyDocument): Guard[] {
  return policiesFor(model, document).flatMap(([scope, policy]) => {
    const rules = (goal.kind === 'alias' ? policy.aliases : policy.stageRules) ?? {};
    return Object.entries(rules).flatMap(([pattern, protection]) =>
      matches(pattern, goal) ? [{ ...protection, scope, pattern }] : [],
    );
  });
}

/** Every protection of a model, as texts that are equal where the protections are. */
export function guardTexts(model: ModelName, document: PolicyDocument): ReadonlySet<string> {
  return new Set(
    policiesFor(model, document).flatMap(([, { aliases = {}, stageRules = {} }]) => [
      ...Object.entries(aliases).map((entry) => JSON.stringify(['alias', ...entry])),
      ...Object.entries(stageRules).map((entry) => JSON.stringify(['stage', ...entry])),
    ]),
  );
}

/** Stages that a model's versions may be in, `None` first. */
export function stagesOf(model: ModelName | undefined, document: PolicyDocument): readonly string[] {
  const own = (model === undefined ? policiesFor(ANY, document) : policiesFor(model, document))
    .flatMap(([, { stages }]) => (stages === undefined ? [] : [stages]))
    .at(-1);
  if (own === undefined) return DEFAULT_STAGES;
  return ['None', ...own.filter((stage) => !isNone(stage))];
}

const ANY = parseModelName('a');

/** Whether moves of a model need a reason, whatever moves. */
export function needsReason(model: ModelName, document: PolicyDocument): boolean {
  return policiesFor(model, document).some(([, { reasons }]) => reasons === 'required');
}

/** What retention says of a model, if anything. */
export function retentionOf(model: ModelName, document: PolicyDocument): Retention | undefined {
  return policiesFor(model, document)
    .flatMap(([, { retention }]) => (retention === undefined ? [] : [retention]))
    .at(-1);
}

/** Whether a stage means: in none. */
export function isNone(stage: string): boolean {
  return stage.toLowerCase() === 'none';
}

// Stages are found whatever their case, as clients of MLflow write them.
function matches(pattern: string, { kind, name }: Goal): boolean {
  const [text, wanted] = kind === 'stage' ? [name.toLowerCase(), pattern.toLowerCase()] : [name, pattern];
  const parts = wanted.split('*');
  const [first = ''] = parts;
  if (parts.length === 1) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  const last = parts.at(-1) ?? '';
  return text.length - at >= last.length && text.endsWith(last);
}
