import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ModelName } from '@ingot/core/ref';
import type { VersionRecord } from '@ingot/core/registry/registry';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { type ApprovalReader, counting, type GivenApproval } from './approvals.ts';
import { type Condition, failureText, judge, parseCondition, type Verdict } from './conditions.ts';
import { type ConditionFacts, type FactSources, factsOf, type Judged } from './facts.ts';
import { FurtherReader } from './further-facts.ts';
import type { Goal, Guard } from './policy.ts';

/** What became of one protection. */
export interface GuardVerdict {
  readonly guard: Guard;
  readonly holds: boolean;
  readonly approvals: { readonly needed: number; readonly given: readonly GivenApproval[] };
  readonly conditions: readonly Verdict[];
}

/** Whether something may move, and what is missing. */
export interface Checked {
  readonly allowed: boolean;
  readonly guards: readonly GuardVerdict[];
}

/** What checking needs. */
export interface CheckerOptions {
  readonly index: Kysely<IndexTables>;
  readonly approvals: ApprovalReader;
  readonly sources: FactSources;
  readonly now: () => Date;
}

/** What is checked. */
export interface Candidate {
  readonly model: ModelName;
  /** Undefined for a model that is about to be made. */
  readonly modelId: string | undefined;
  readonly goal: Goal;
  /** The version, or what is about to become one. */
  readonly version: Judged | VersionRecord;
  readonly guards: readonly Guard[];
  /** Who publishes a version that is not there yet. Default: nobody is known. */
  readonly by?: string | undefined;
}

/** Checks a version against what protects an alias or a stage. */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #further: FurtherReader;

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#further = new FurtherReader(options.index);
  }

  async check(candidate: Candidate): Promise<Checked> {
    const { modelId, goal, version, guards } = candidate;
    if (guards.length === 0) return { allowed: true, guards: [] };
    const now = this.#options.now();
    const approvals = modelId === undefined ? [] : await this.#approvalsOf(modelId, version);
    const facts = await this.#factsOf(candidate, now);
    const verdicts = guards.map((guard): GuardVerdict => {
      const conditions = guard.conditions.map((text) => this.#judged(text, facts, now));
      const given = counting(approvals, { guard, goal, version, now });
      const holds = given.length >= guard.approvals && conditions.every((verdict) => verdict.holds);
      return { guard, holds, approvals: { needed: guard.approvals, given }, conditions };
    });
    return { allowed: verdicts.every(({ holds }) => holds), guards: verdicts };
  }

  /** Refuses what is not allowed, naming what is missing. Throws `refused`. */
  refuse({ model, goal, version }: Pick<Candidate, 'model' | 'goal' | 'version'>, checked: Checked): void {
    if (checked.allowed) return;
    const missing = checked.guards.flatMap(missingOf);
    const of = version.number === undefined ? 'a version that is not published yet' : `version ${version.number}`;
    const what =
      goal.kind === 'alias'
        ? `"${goal.name}" of "${model}" may not name ${of}`
        : `${of} of "${model}" may not be in stage "${goal.name}"`;
    throw new IngotError('refused', `${what}: ${missing.join('; ')}`, {
      hint: hintOf(model, goal, version, checked),
      details: {
        model,
        [goal.kind]: goal.name,
        ...(version.number !== undefined && { number: version.number }),
        missing,
      },
    });
  }

  async #approvalsOf(modelId: string, { number, manifest }: Judged): Promise<GivenApproval[]> {
    return number === undefined ? [] : this.#options.approvals.of(modelId, { number, manifest });
  }

  #judged(source: string, facts: ConditionFacts, now: Date): Verdict {
    let condition: Condition;
    try {
      condition = parseCondition(source, { now, sources: Object.keys(this.#options.sources) });
    } catch (error) {
      // One that another release has let in and this one does not understand lets nothing through.
      if (!isIngotError(error, 'usage')) throw error;
      return { condition: source, holds: false, failing: [{ test: error.message, values: [] }] };
    }
    return judge(condition, facts);
  }

  async #factsOf({ model, modelId, version, guards, by }: Candidate, now: Date): Promise<ConditionFacts> {
    const texts = guards.flatMap(({ conditions }) => conditions);
    const { sources } = this.#options;
    const { number } = version;
    if (texts.length === 0 || modelId === undefined || number === undefined)
      return factsOf(version, { model, now, by, sources });
    const further = await this.#further.of(modelId, number, texts);
    return factsOf(version, { model, now, sources, ...further });
  }
}

/** Says what a protection misses, one text each; none when it holds. */
export function missingOf({ guard, holds, approvals, conditions }: GuardVerdict): string[] {
  if (holds) return [];
  const { needed, given } = approvals;
  const approved =
    given.length >= needed
      ? []
      : [
          `it has ${given.length} of ${needed} approvals (by ${guard.by.join(', ')}${guard.notAuthor ? ', not by its author' : ''})`,
        ];
  const failed = conditions
    .filter((verdict) => !verdict.holds)
    .map(({ condition, failing }) => {
      const why = failing.map(failureText).join('; ');
      return `the condition "${condition}" does not hold${why === '' ? '' : `: ${why}`}`;
    });
  return [...approved, ...failed];
}

function hintOf(model: ModelName, goal: Goal, { number }: Judged, { guards }: Checked): string {
  if (number === undefined)
    return `publish it without ${goal.kind} "${goal.name}", then: ingot promote ${model}:N ${goal.name}`;
  const lacksApprovals = guards.some(({ approvals: { needed, given } }) => given.length < needed);
  if (lacksApprovals) return `ingot approve ${model}:${number} --${goal.kind} ${goal.name}`;
  return `ingot show ${model}:${number}`;
}
