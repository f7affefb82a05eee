/**
 * The *governed registry* is the one place where policies are kept, whatever protocol asks: before an alias or a stage
 * moves, what protects it is checked against the model's log as it stands, and the move is written only if that log has
 * not gone on since.
 */

import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ModelName, Reference } from '@ingot/core/ref';
import type {
  AddedDraft,
  AliasMove,
  AliasOptions,
  PublishOptions,
  PublishResult,
  Registry,
  RegistryOptions,
  VersionDraft,
  VersionRecord,
} from '@ingot/core/registry/registry';
import type { ProtectedMoves } from '../audit/protected-moves.ts';
import type { ModelIndex } from '../index/indexed-registry.ts';
import type { Checker } from './check.ts';
import {
  type Goal,
  type Guard,
  guardsOf,
  guardTexts,
  isNone,
  needsReason,
  type PolicyDocument,
  stagesOf,
} from './policy.ts';

/** What governing works with. */
export interface GovernedOptions {
  readonly policies: { read(): Promise<PolicyDocument> };
  readonly checker: Checker;
  readonly index: Pick<ModelIndex, 'placeOf' | 'refresh'>;
  /** Where intended moves are noted, so that they are not taken for foreign ones. Default: nowhere. */
  readonly moves?: Pick<ProtectedMoves, 'intend' | 'withdraw'> | undefined;
}

type Reasoned = RegistryOptions & { readonly reason?: string };

const ATTEMPTS = 5;

/** Puts policies before a registry. */
export function governed(registry: Registry, options: GovernedOptions): Registry {
  const mover = new Mover(registry, options);
  return {
    ...registry,
    publish: (name, draft, given = {}) => mover.publish(name, draft, given),
    setAlias: (name, alias, number, given = {}) => mover.setAlias(name, alias, number, given),
    removeAlias: (name, alias, given = {}) => mover.removeAlias(name, alias, given),
    setStage: (reference, stage, given = {}) => mover.setStage(reference, stage, given),
    deleteModel: (name, given = {}) => mover.deleteModel(name, given),
    rename: (name, newName, given = {}) => mover.rename(name, newName, given),
  };
}

/** A move that is to be made. */
interface Move<Result> {
  readonly name: ModelName;
  readonly goal: Goal;
  readonly number: number;
  readonly options: Reasoned;
  readonly make: (options: { readonly expectedSeq?: number }) => Promise<Result>;
}

class Mover {
  readonly #registry: Registry;
  readonly #options: GovernedOptions;

  constructor(registry: Registry, options: GovernedOptions) {
    this.#registry = registry;
    this.#options = options;
  }

  async setAlias(name: ModelName, alias: string, number: number, options: AliasOptions): Promise<AliasMove> {
    const goal: Goal = { kind: 'alias', name: alias };
    const make = (condition: object) => this.#registry.setAlias(name, alias, number, { ...options, ...condition });
    return this.#moved({
      name,
      goal,
      number,
      options,
      make: (condition) => this.#told(name, alias, number, () => make(condition)),
    });
  }

  async removeAlias(name: ModelName, alias: string, options: AliasOptions): Promise<AliasMove> {
    const document = await this.#options.policies.read();
    const goal: Goal = { kind: 'alias', name: alias };
    const guards = guardsOf(name, goal, document);
    this.#requireReason(name, goal, guards, document, options);
    refuseRemoval(name, alias, guards);
    if (guards.length === 0) return this.#registry.removeAlias(name, alias, options);
    return this.#told(name, alias, null, () => this.#registry.removeAlias(name, alias, options));
  }

  async setStage(reference: Reference, stage: string | null, options: Reasoned): Promise<VersionRecord> {
    const { name } = reference;
    const document = await this.#options.policies.read();
    const wanted = stage === null || isNone(stage) ? null : knownStage(name, stage, document);
    if (wanted === null) {
      this.#requireReason(name, { kind: 'stage', name: 'None' }, [], document, options);
      return this.#registry.setStage(reference, null, options);
    }
    const { number } = await this.#registry.version(reference, options);
    const exact: Reference = { name, selector: { kind: 'version', number } };
    const make = (condition: object) => this.#registry.setStage(exact, wanted, { ...options, ...condition });
    return this.#moved({ name, goal: { kind: 'stage', name: wanted }, number, options, make });
  }

  async publish(name: ModelName, draft: VersionDraft | AddedDraft, options: PublishOptions): Promise<PublishResult> {
    const { aliases = [] } = options;
    if (aliases.length === 0) return this.#registry.publish(name, draft, options);
    const document = await this.#options.policies.read();
    const needs = needsReason(name, document);
    const isGuarded = (alias: string) => needs || guardsOf(name, { kind: 'alias', name: alias }, document).length > 0;
    const guarded = aliases.filter(isGuarded);
    if (guarded.length === 0) return this.#registry.publish(name, draft, options);
    for (const alias of guarded) await this.#checkDraft(name, alias, draft, options, document);
    const free = aliases.filter((alias) => !isGuarded(alias));
    const published = await this.#registry.publish(name, draft, { ...options, aliases: free });
    const { number } = published.version;
    const { expectedSeq: _, ...later } = options;
    for (const alias of guarded) await this.setAlias(name, alias, number, later);
    return { ...published, version: await this.#registry.version(exactly(name, number), options) };
  }

  async deleteModel(name: ModelName, options: Reasoned): Promise<void> {
    const document = await this.#options.policies.read();
    if (Object.keys(document.policies).length > 0) {
      const { aliases } = await this.#registry.model(name, options);
      for (const alias of Object.keys(aliases))
        refuseRemoval(name, alias, guardsOf(name, { kind: 'alias', name: alias }, document));
    }
    await this.#registry.deleteModel(name, options);
  }

  // Under another name other policies count: what is protected stays so, and what becomes so must have earned it.
  async rename(name: ModelName, newName: ModelName, options: Reasoned): Promise<void> {
    const document = await this.#options.policies.read();
    const after = guardTexts(newName, document);
    const lost = [...guardTexts(name, document)].some((text) => !after.has(text));
    if (lost)
      throw new IngotError('refused', `"${name}" is protected by policies that "${newName}" would not be under`, {
        hint: 'ingot policy export   (give the new name the same protections first)',
        details: { model: name, newName },
      });
    if (after.size > 0) await this.#checkUnder(name, newName, document, options);
    await this.#registry.rename(name, newName, options);
  }

  async #checkUnder(name: ModelName, newName: ModelName, document: PolicyDocument, options: Reasoned): Promise<void> {
    const view = await this.#registry.model(name, options);
    const staged = view.all.flatMap(({ number, stage, status }) =>
      stage === undefined || status === 'deleted' ? [] : [{ goal: { kind: 'stage' as const, name: stage }, number }],
    );
    const aliased = Object.entries(view.aliases).map(([alias, number]) => ({
      goal: { kind: 'alias' as const, name: alias },
      number,
    }));
    const before = guardTexts(name, document);
    for (const { goal, number } of [...aliased, ...staged]) {
      const guards = guardsOf(newName, goal, document).filter(
        ({ scope: _, pattern, ...protection }) => !before.has(JSON.stringify([goal.kind, pattern, protection])),
      );
      if (guards.length === 0) continue;
      const version = await this.#registry.version(exactly(name, number), options);
      const candidate = { model: newName, modelId: view.id, goal, version, guards };
      const { checker } = this.#options;
      checker.refuse(candidate, await checker.check(candidate));
    }
  }

  async #checkDraft(
    name: ModelName,
    alias: string,
    draft: VersionDraft | AddedDraft,
    options: PublishOptions,
    document: PolicyDocument,
  ): Promise<void> {
    const goal: Goal = { kind: 'alias', name: alias };
    const guards = guardsOf(name, goal, document);
    this.#requireReason(name, goal, guards, document, options);
    const latest = await this.#latest(name, options);
    const isThere = latest?.manifest === draft.manifest && options.always !== true && options.number === undefined;
    const version = isThere && latest !== undefined ? { ...latest, ...added(latest, draft) } : draft;
    const candidate = { model: name, modelId: latest?.modelId, goal, version, guards, by: options.actor };
    const { checker } = this.#options;
    checker.refuse(candidate, await checker.check(candidate));
  }

  async #latest(name: ModelName, options: RegistryOptions): Promise<VersionRecord | undefined> {
    try {
      return await this.#registry.version({ name, selector: { kind: 'latest' } }, options);
    } catch (error) {
      if (isIngotError(error, 'model-not-found', 'version-not-found')) return undefined;
      throw error;
    }
  }

  /** Makes a move that its guards let through, on exactly the log that they saw. */
  async #moved<Result>({ name, goal, number, options, make }: Move<Result>): Promise<Result> {
    const { policies, index, checker } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const document = await policies.read();
      const guards = guardsOf(name, goal, document);
      this.#requireReason(name, goal, guards, document, options);
      if (guards.length === 0) return make({});
      const { id, seq } = await index.placeOf(name);
      const version = await this.#registry.version(exactly(name, number), options);
      const candidate = { model: name, modelId: id, goal, version, guards };
      const { expectedSeq } = options;
      if (expectedSeq === undefined || expectedSeq === seq) {
        checker.refuse(candidate, await checker.check(candidate));
        try {
          return await make({ expectedSeq: seq });
        } catch (error) {
          if (expectedSeq !== undefined || attempt >= ATTEMPTS || !isIngotError(error, 'precondition-failed'))
            throw error;
        }
      } else if (attempt > 1) {
        throw new IngotError(
          'precondition-failed',
          `"${name}" was changed meanwhile: event ${seq} came after ${expectedSeq}`,
          {
            hint: `ingot history ${name}`,
            details: { model: name, seq, expectedSeq },
          },
        );
      }
      await index.refresh(name);
    }
  }

  /** Notes a move of a protected alias before it is written, and takes the note back when it is told as this server's. */
  async #told<Result>(name: ModelName, alias: string, to: number | null, make: () => Promise<Result>): Promise<Result> {
    const { moves, index, policies } = this.#options;
    const isGuarded = guardsOf(name, { kind: 'alias', name: alias }, await policies.read()).length > 0;
    if (moves === undefined || !isGuarded) return make();
    const { id } = await index.placeOf(name);
    const note = await moves.intend(id, alias, to);
    try {
      return await make();
    } finally {
      await moves.withdraw(note);
    }
  }

  #requireReason(
    name: ModelName,
    goal: Goal,
    guards: readonly Guard[],
    document: PolicyDocument,
    { reason }: Reasoned,
  ): void {
    const isNeeded = needsReason(name, document) || guards.some(({ reasons }) => reasons === 'required');
    if (!isNeeded || (reason !== undefined && reason.trim() !== '')) return;
    throw new IngotError('refused', `moves of ${goal.kind} "${goal.name}" of "${name}" need a reason`, {
      hint: 'say why: -m "passed the review"',
      details: { model: name, [goal.kind]: goal.name, missing: ['a reason'] },
    });
  }
}

function exactly(name: ModelName, number: number): Reference {
  return { name, selector: { kind: 'version', number } };
}

/** What publishing the same manifest again adds to the version. */
function added(latest: VersionRecord, { tags, metrics }: VersionDraft | AddedDraft) {
  return { tags: { ...latest.tags, ...tags }, metrics: { ...latest.metrics, ...metrics } };
}

function refuseRemoval(name: ModelName, alias: string, guards: readonly Guard[]): void {
  const guard = guards.find(({ removal }) => removal === 'refused');
  if (guard === undefined) return;
  throw new IngotError('refused', `"${alias}" of "${name}" is protected and may not be taken away`, {
    hint: `the policy of "${guard.scope}" says so: ingot policy export`,
    details: { model: name, alias, scope: guard.scope },
  });
}

/** The stage as the policy writes it. Throws `invalid-name` naming those that there are. */
function knownStage(name: ModelName, stage: string, document: PolicyDocument): string {
  const stages = stagesOf(name, document);
  const known =
    stages.find((each) => each === stage) ?? stages.find((each) => each.toLowerCase() === stage.toLowerCase());
  if (known !== undefined) return known;
  throw new IngotError('invalid-name', `"${stage.slice(0, 120)}" is no stage of "${name}"`, {
    hint: `stages: ${stages.join(', ')}`,
    details: { stage: stage.slice(0, 120), stages: [...stages] },
  });
}
