/** The room of governance, put together. */

import { IngotError } from '@ingot/core/errors';
import { type ModelName, parseModelName, type Reference } from '@ingot/core/ref';
import type {
  Approval,
  ApprovalOptions,
  ApprovalPurpose,
  Registry,
  RegistryOptions,
} from '@ingot/core/registry/registry';
import type { Authorizer, Identity, RequestOrigin, Target } from '../access/identity.ts';
import type { Role } from '../access/grants.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database } from '../database/database.ts';
import type { ModelIndex } from '../index/indexed-registry.ts';
import type { Log } from '../services.ts';
import { ApprovalReader, type GivenApproval, goalOf, isOf, mayApprove } from './approvals.ts';
import { type Checked, Checker } from './check.ts';
import type { FactSources } from './facts.ts';
import { governed } from './governed.ts';
import { type HeldVersions, holdsOf } from './holds.ts';
import { type Goal, guardsOf, type PolicyDocument, stagesOf } from './policy.ts';
import { PolicyStore } from './policy-store.ts';
import { planRetention, type Releasable, type Retained, Releases } from './retention.ts';
import { RetentionRuns } from './retention-runs.ts';
import { RetentionSchedule } from './retention-schedule.ts';

/** What the room is opened with. */
export interface GovernanceOptions {
  readonly database: Database;
  readonly index: ModelIndex;
  /** Default: a trial, where every approval counts and no move is foreign. */
  readonly audit?: Pick<Audit, 'written' | 'protectedMoves' | 'accessLog'> | undefined;
  readonly authorizer: Authorizer;
  /** Facts for conditions besides what the log says: scans, signatures. Default: none. */
  readonly sources?: FactSources;
  /** Time between two runs of retention, in milliseconds. Default: it runs when somebody asks. */
  readonly retentionEveryMs?: number | undefined;
  readonly log: Log;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
}

/** What must be so before something moves. Disposing it lets a run of retention that goes on by itself end. */
export interface Governance extends AsyncDisposable {
  readonly policies: PolicyStore;
  /** The registry with policies before it. */
  readonly registry: Registry;
  /** Stages that versions of a model (default: of any) may be in; the first means none. */
  stages(model?: ModelName): Promise<readonly string[]>;
  /** Says whether a version may be what an alias names, or be in a stage, and what is missing. */
  check(reference: Reference, goal: Goal): Promise<Checked & { readonly number: number; readonly modelId: string }>;
  /**
   * Approves a version in somebody's name.
   * @throws IngotError `forbidden` for whom the policies do not ask, and as `Registry.approve` does.
   */
  approve(
    by: Identity,
    request: { readonly reference: Reference; readonly purpose: ApprovalPurpose; readonly options: ApprovalOptions },
  ): Promise<Approval>;
  /**
   * Takes back what somebody has approved; what has moved by it stays.
   * @throws IngotError `not-found` when they have given no approval that stands.
   */
  withdrawApproval(
    by: Identity,
    request: { readonly reference: Reference; readonly purpose: ApprovalPurpose; readonly options: WithdrawOptions },
  ): Promise<Approval>;
  approvals(name: ModelName): Promise<readonly GivenApproval[]>;
  holds(name: ModelName): Promise<HeldVersions>;
  /** Says what retention lets go; `dryRun` false: lets it go. */
  retain(options: RetainOptions): Promise<RetainReport>;
  /** What runs of retention did. */
  readonly retentionRuns: RetentionRuns;
  /** Runs that nobody asks for; undefined where there are none. */
  readonly retentionSchedule: RetentionSchedule | undefined;
}

/** What retention lets go, and what it has let go. */
export interface RetainReport extends Retained {
  readonly planned: readonly Releasable[];
}

/** Options of taking back an approval. */
export type WithdrawOptions = RegistryOptions & { readonly reason?: string };

/** How retention is asked. */
export interface RetainOptions {
  /** Default: every model. */
  readonly model?: ModelName | undefined;
  readonly dryRun: boolean;
  readonly actor: string;
  /** Where the request came from. */
  readonly origin?: RequestOrigin | undefined;
  /** Ends the run between two versions. */
  readonly signal?: AbortSignal;
  /** Whether nobody asked for it. Default: false. */
  readonly isScheduled?: boolean;
}

/** Opens the room over a registry. */
export function openGovernance(inner: Registry, options: GovernanceOptions): Governance {
  const { database, index, audit, authorizer, sources = {}, now, random, log, retentionEveryMs } = options;
  const policies = new PolicyStore({ own: database.own, now, sources: Object.keys(sources) });
  const approvals = new ApprovalReader({ index: database.index, written: audit?.written });
  const checker = new Checker({ index: database.index, approvals, sources, now });
  const layer = { policies, checker, index, moves: audit?.protectedMoves };
  const registry = governed(inner, layer);
  audit?.protectedMoves.protect((modelId, alias) => isProtected(database, policies, modelId, alias));
  const retentionRuns = new RetentionRuns({ own: database.own, now, random });
  const retain = retaining({ database, policies, registry, runs: retentionRuns, audit, now });
  const retentionSchedule =
    retentionEveryMs === undefined
      ? undefined
      : new RetentionSchedule({
          own: database.own,
          everyMs: retentionEveryMs,
          retain: ({ signal }) => retain({ dryRun: false, actor: SCHEDULED_ACTOR, signal, isScheduled: true }),
          log,
          now,
          random,
        });
  return {
    policies,
    registry,
    retain,
    retentionRuns,
    retentionSchedule,
    [Symbol.asyncDispose]: async () => retentionSchedule?.[Symbol.asyncDispose](),
    stages: async (model) => stagesOf(model, await policies.read()),
    async check(reference, goal) {
      const { id: modelId } = await index.placeOf(reference.name);
      const version = await inner.version(reference);
      const guards = guardsOf(reference.name, goal, await policies.read());
      const checked = await checker.check({ model: reference.name, modelId, goal, version, guards });
      return { ...checked, number: version.number, modelId };
    },
    async approve(by, { reference, purpose, options: given }) {
      const document = await policies.read();
      const role = requireApprover(by, { reference, purpose }, { document, authorizer });
      return inner.approve(reference, purpose, { ...given, role });
    },
    async withdrawApproval(by, { reference, purpose, options: given }) {
      const { name } = reference;
      authorizer.check(by, 'read', { kind: 'model', model: name });
      const { number, manifest } = await inner.version(reference, given);
      const goal = goalOf(purpose);
      const all = await approvals.of((await index.placeOf(name)).id, { number, manifest });
      const actor = given.actor ?? by.name;
      if (!all.some((approval) => isOf(approval, actor, { number, manifest, goal })))
        throw new IngotError('not-found', `${actor} has not approved version ${number} of "${name}" for that`, {
          hint: `ingot history ${name}`,
          details: { model: name, number, [goal.kind]: goal.name },
        });
      return inner.withdrawApproval({ name, selector: { kind: 'version', number } }, purpose, given);
    },
    approvals: async (name) => approvals.of((await index.placeOf(name)).id),
    holds: async (name) => holdsOf(database.index, (await index.placeOf(name)).id),
  };
}

/** Who is named in the history of what the schedule lets go. */
const SCHEDULED_ACTOR = 'retention';

interface Retaining {
  readonly database: Database;
  readonly policies: PolicyStore;
  readonly registry: Registry;
  readonly runs: RetentionRuns;
  readonly audit: GovernanceOptions['audit'];
  readonly now: () => Date;
}

/** Makes what plans and runs retention, and notes what each run did. */
function retaining({ database, policies, registry, runs, audit, now }: Retaining): Governance['retain'] {
  return async ({ model, dryRun, actor, origin, signal, isScheduled = false }) => {
    const document = await policies.read();
    const planned = await planRetention({ index: database.index, document, now: now(), model });
    const releases = new Releases();
    if (dryRun || (isScheduled && planned.length === 0)) return { planned, released: [], kept: [] };
    const id = await runs.begin({ actor, isScheduled, model, planned: planned.length });
    try {
      await releases.release(planned, { registry, actor, signal });
      await runs.end(id, releases);
    } catch (error) {
      await runs.end(id, releases, error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      const { released, kept } = releases;
      const counts = { planned: planned.length, released: released.length, kept: kept.length };
      audit?.accessLog.record({ kind: 'retention-run', actor, origin, model, details: { id, ...counts } });
    }
    return { planned, released: releases.released, kept: releases.kept };
  };
}

interface Asked {
  readonly reference: Reference;
  readonly purpose: ApprovalPurpose;
}

/** Says in which role somebody approves. */
function requireApprover(
  by: Identity,
  { reference, purpose }: Asked,
  { document, authorizer }: { readonly document: PolicyDocument; readonly authorizer: Authorizer },
): Role {
  const model = reference.name;
  const target: Target = { kind: 'model', model, ...('alias' in purpose && { alias: purpose.alias }) };
  authorizer.check(by, 'read', { kind: 'model', model });
  const role = roleOf(by, target, authorizer);
  const goal = goalOf(purpose);
  const guards = guardsOf(model, goal, document);
  if (guards.length === 0) authorizer.check(by, 'promote', target);
  else if (!guards.some((guard) => mayApprove(guard, by.name, role)))
    throw new IngotError(
      'forbidden',
      `an approval of ${by.name} does not count for ${goal.kind} "${goal.name}" of "${model}"`,
      {
        hint: `those count: ${[...new Set(guards.flatMap((guard) => guard.by))].join(', ')}`,
        details: { needs: [...new Set(guards.flatMap((guard) => guard.by))] },
      },
    );
  return role;
}

function roleOf(by: Identity, target: Target, authorizer: Authorizer): Role {
  if (authorizer.may(by, 'admin', target)) return 'admin';
  if (authorizer.may(by, 'promote', target)) return 'promoter';
  return authorizer.may(by, 'push', target) ? 'pusher' : 'reader';
}

// Every name that the model has had counts: a rename past the server must not take the protection away.
async function isProtected(
  { index }: Database,
  policies: PolicyStore,
  modelId: string,
  alias: string,
): Promise<boolean> {
  const rows = await index.selectFrom('model_names').select('name').where('model_id', '=', modelId).execute();
  if (rows.length === 0) return false;
  const document = await policies.read();
  const goal: Goal = { kind: 'alias', name: alias };
  return rows.some(({ name }) => guardsOf(parseModelName(name), goal, document).length > 0);
}
