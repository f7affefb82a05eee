/**
 * Retention releases old versions by rules. A version goes only when no rule keeps it, no alias names it and no hold
 * forbids it; its number is never used again, and its contents go with the next collection.
 */

import type { BlobStore } from './blob/blob-store.ts';
import { IngotError, isIngotError } from './errors.ts';
import type { ModelName } from './ref.ts';
import { type CareModel, CareLogs } from './registry/care-logs.ts';
import type { VersionEntry } from './registry/model-fold.ts';
import type { Registry } from './registry/registry.ts';

/** What is kept. A version goes when all rules that are given let it go. */
export interface RetentionRules {
  /** The newest so many versions of each model are kept. Default: 1, so that `latest` stays. */
  readonly keepLast?: number;
  /** Versions published less than this many milliseconds ago are kept. Default: age keeps nothing. */
  readonly olderThanMs?: number;
}

/** A version that rules release. */
export interface ReleasableVersion {
  readonly model: ModelName;
  readonly number: number;
  readonly label?: string;
  readonly publishedAt: string;
  readonly sizeBytes: number;
  /** Which rules let it go, as the history will say. */
  readonly reason: string;
}

/** What applying rules did. */
export interface Released {
  readonly released: readonly ReleasableVersion[];
  /** Versions that could not go, because somebody put an alias or a hold on them meanwhile. */
  readonly kept: readonly (ReleasableVersion & { readonly why: string })[];
}

/** Options of {@link planRetention}. */
export interface PlanRetentionOptions extends RetentionRules {
  readonly blobs: BlobStore;
  /** Only this model. Default: all. */
  readonly model?: ModelName;
  readonly now: Date;
  readonly signal?: AbortSignal;
}

/**
 * Says which versions the rules release, model by model, oldest first. Changes nothing.
 * @throws IngotError `usage` for rules that make no sense, `model-not-found`, and as reading logs does.
 * @example
 * const versions = await planRetention({ blobs, keepLast: 10, olderThanMs: 90 * 86_400_000, now: new Date() });
 */
export async function planRetention(options: PlanRetentionOptions): Promise<readonly ReleasableVersion[]> {
  checkRules(options);
  const { models } = await new CareLogs(options.blobs).read(options.signal ? { signal: options.signal } : {});
  const named = [...models.values()].filter(({ name }) => name !== undefined);
  const wanted = named.filter(({ name }) => options.model === undefined || name === options.model);
  if (options.model !== undefined && wanted.length === 0)
    throw new IngotError('model-not-found', `there is no model "${options.model}"`, { hint: 'ingot ls' });
  wanted.sort((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1));
  return wanted.flatMap((model) => releasableOf(model, options));
}

/**
 * Releases versions, each unless an alias or a hold names it by now; one that is gone already is left out of the result.
 * Packs stay until a collection takes them.
 * @throws IngotError as deleting a version does, but for `conflict` and `refused`: those versions are `kept`.
 */
export async function applyRetention(
  versions: readonly ReleasableVersion[],
  options: { readonly registry: Pick<Registry, 'deleteVersion'>; readonly signal?: AbortSignal },
): Promise<Released> {
  const released: ReleasableVersion[] = [];
  const kept: (ReleasableVersion & { why: string })[] = [];
  for (const version of versions) {
    const reference = { name: version.model, selector: { kind: 'version', number: version.number } } as const;
    try {
      await options.registry.deleteVersion(reference, {
        reason: version.reason,
        ...(options.signal ? { signal: options.signal } : {}),
      });
      released.push(version);
    } catch (error) {
      if (isIngotError(error, 'version-not-found', 'model-not-found')) continue;
      if (!isIngotError(error, 'conflict', 'refused')) throw error;
      kept.push({ ...version, why: error.message });
    }
  }
  return { released, kept };
}

function checkRules({ keepLast, olderThanMs }: RetentionRules): void {
  if (keepLast !== undefined && !(Number.isSafeInteger(keepLast) && keepLast >= 0))
    throw new IngotError('usage', `the number of versions to keep is a whole number, not ${keepLast}`);
  if (olderThanMs !== undefined && !(olderThanMs >= 0))
    throw new IngotError('usage', `an age is not less than nothing, and this is ${olderThanMs} ms`);
}

function releasableOf(
  { name, state }: CareModel,
  { keepLast = 1, olderThanMs, now }: PlanRetentionOptions,
): ReleasableVersion[] {
  if (name === undefined || state.closed || state.holds.some(({ number }) => number === null)) return [];
  const versions = state.versions.filter((entry) => entry !== null && entry.status !== 'deleted');
  const latest = versions.findLast((entry) => entry?.status === 'active')?.number;
  const last = versions.slice(Math.max(0, versions.length - keepLast)).map((entry) => entry?.number);
  const spared = new Set([
    ...(keepLast === 0 ? [] : [latest, ...last]),
    ...state.aliases.map(({ number }) => number),
    ...state.holds.map(({ number }) => number),
  ]);
  const isYoung = ({ publishedAt }: VersionEntry) =>
    olderThanMs !== undefined && now.getTime() - Date.parse(publishedAt) <= olderThanMs;
  return versions.flatMap((entry) =>
    entry === null || spared.has(entry.number) || isYoung(entry)
      ? []
      : [
          {
            model: name,
            number: entry.number,
            ...(entry.label === undefined ? {} : { label: entry.label }),
            publishedAt: entry.publishedAt,
            sizeBytes: entry.sizeBytes,
            reason: reasonOf(keepLast, olderThanMs),
          },
        ],
  );
}

function reasonOf(keepLast: number, olderThanMs: number | undefined): string {
  const rules = [
    ...(keepLast === 0 ? [] : [`not among the newest ${keepLast === 1 ? 'one' : keepLast}`]),
    'no alias names it',
    ...(olderThanMs === undefined ? [] : [`older than ${ageText(olderThanMs)}`]),
  ];
  return `retention: ${rules.join(', ')}`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** Writes an age in its largest whole unit: `90d`. */
export function ageText(ms: number): string {
  const unit = UNITS.find(([, length]) => ms >= length && ms % length === 0);
  return unit === undefined ? `${Math.round(ms / 1000)}s` : `${ms / unit[1]}${unit[0]}`;
}
