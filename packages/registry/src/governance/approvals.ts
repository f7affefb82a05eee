import type { ApprovalPurpose, VersionRecord } from '@ingot/core/registry/registry';
import type { Kysely } from 'kysely';
import type { WrittenEvents } from '../audit/written-events.ts';
import type { IndexTables } from '../database/index-tables.ts';
import { type Goal, type Guard, isNone } from './policy.ts';

/** An approval that stands in a model's log. */
export interface GivenApproval {
  readonly seq: number;
  readonly number: number;
  readonly manifest: string;
  readonly goal: Goal;
  readonly by: string;
  readonly at: string;
  /** What the approver was then; undefined when nobody checked. */
  readonly role?: string;
  readonly reason?: string;
  /** Whether a server wrote it; one that was written past it counts for nothing. */
  readonly isVouched: boolean;
  /** When whoever gave it took it back; then it counts for nothing. Whoever wrote that is believed. */
  readonly withdrawnAt?: string;
}

/** What approvals are read with. */
export interface ApprovalReaderOptions {
  readonly index: Kysely<IndexTables>;
  /** Default: every approval is taken as written by a server. */
  readonly written?: Pick<WrittenEvents, 'has'> | undefined;
}

/** What an approval is for, as policies name it. */
export function goalOf(purpose: ApprovalPurpose): Goal {
  return 'alias' in purpose ? { kind: 'alias', name: purpose.alias } : { kind: 'stage', name: purpose.stage };
}

/** Reads approvals from the index: they lie in the models' logs. */
export class ApprovalReader {
  readonly #options: ApprovalReaderOptions;

  constructor(options: ApprovalReaderOptions) {
    this.#options = options;
  }

  /** Approvals of one version of a model (default: of all), oldest first; those of another manifest are left out. */
  async of(modelId: string, version?: Pick<VersionRecord, 'number' | 'manifest'>): Promise<GivenApproval[]> {
    const { index, written } = this.#options;
    const rows = await index
      .selectFrom('events')
      .select(['seq', 'kind', 'digest', 'at', 'actor', 'reason', 'body'])
      .where('log', '=', modelId)
      .where('kind', 'in', ['approval-given', WITHDRAWN])
      .orderBy('seq')
      .execute();
    let given: GivenApproval[] = [];
    for (const { seq, kind, digest, at, actor, reason, body } of rows) {
      const said = saidIn(body);
      if (said === undefined) continue;
      if (version !== undefined && (said.number !== version.number || said.manifest !== version.manifest)) continue;
      if (kind === WITHDRAWN) {
        given = given.map((each) => (isOf(each, actor, said) ? { ...each, withdrawnAt: at } : each));
        continue;
      }
      const isVouched = written === undefined || (await written.has(`models/${modelId}`, seq, digest));
      given.push({ seq, by: actor, at, ...said, isVouched, ...(reason !== null && { reason }) });
    }
    return given;
  }
}

const WITHDRAWN = 'approval-withdrawn';

/** Whether an approval stands, and is the one that somebody gave to a version for a goal. */
export function isOf(
  approval: GivenApproval,
  by: string,
  { number, manifest, goal }: Pick<GivenApproval, 'number' | 'manifest' | 'goal'>,
): boolean {
  const isSame = approval.by === by && approval.number === number && approval.manifest === manifest;
  return isSame && approval.withdrawnAt === undefined && isSameGoal(approval.goal, goal);
}

type Said = Pick<GivenApproval, 'number' | 'manifest' | 'goal' | 'role'>;

// Somebody with a key to the storage may have written it: what is no approval is none.
function saidIn(body: string | null): Said | undefined {
  const parsed: unknown = body === null ? undefined : JSON.parse(body);
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const field = (key: string): unknown => (Object.hasOwn(parsed, key) ? Reflect.get(parsed, key) : undefined);
  const [number, manifest, alias, stage, role] = ['number', 'manifest', 'alias', 'stage', 'role'].map(field);
  if (typeof number !== 'number' || typeof manifest !== 'string') return undefined;
  const goal: Goal | undefined =
    typeof alias === 'string'
      ? { kind: 'alias', name: alias }
      : typeof stage === 'string'
        ? { kind: 'stage', name: stage }
        : undefined;
  if (goal === undefined) return undefined;
  return { number, manifest, goal, ...(typeof role === 'string' && { role }) };
}

const DAY_MS = 86_400_000;

/** Of some approvals of a version, those that count for a guard: each person once, the latest. */
export function counting(
  approvals: readonly GivenApproval[],
  { guard, goal, version, now }: CountedFor,
): GivenApproval[] {
  const authors = new Set([version.publishedBy, version.author]);
  const oldest = guard.validDays === undefined ? 0 : now.getTime() - guard.validDays * DAY_MS;
  const counted = approvals.filter(
    ({ goal: given, by, role, at, isVouched, withdrawnAt }) =>
      isVouched &&
      withdrawnAt === undefined &&
      isSameGoal(given, goal) &&
      mayApprove(guard, by, role) &&
      !(guard.notAuthor && authors.has(by)) &&
      Date.parse(at) >= oldest,
  );
  return [...new Map(counted.map((approval) => [approval.by, approval])).values()];
}

/** What approvals are counted for. */
export interface CountedFor {
  readonly guard: Guard;
  readonly goal: Goal;
  readonly version: { readonly publishedBy?: string; readonly author?: string };
  readonly now: Date;
}

/** Whether somebody is one of those whose approvals count. */
export function mayApprove({ by }: Pick<Guard, 'by'>, name: string, role: string | undefined): boolean {
  return by.includes(name) || (role !== undefined && by.includes(role));
}

function isSameGoal(a: Goal, b: Goal): boolean {
  if (a.kind !== b.kind) return false;
  return a.kind === 'alias' ? a.name === b.name : a.name.toLowerCase() === b.name.toLowerCase() && !isNone(a.name);
}
