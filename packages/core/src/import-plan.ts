import type { JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';
import { isIngotError } from './errors.ts';
import type { ModelName } from './ref.ts';
import type { Registry } from './registry/registry.ts';
import { compareMarks, wholeNumber } from './source/marks.ts';
import type { SourceMatch } from './source/source-match.ts';
import { sourceOf } from './source-reader.ts';

/** What an import will do with one file or directory. */
export interface ImportItem {
  readonly match: SourceMatch;
  /** The number it gets, or has already; undefined when that is found out while publishing. */
  readonly number?: number;
  readonly label?: string;
  /** When the model was made: the date in its name, else when the file was last changed. ISO 8601. */
  readonly createdAt: string;
  /**
   * `there`: an earlier import brought it. `changed`: it did, and the file was written to since; reading tells whether it is
   * another one now. `conflict`: it cannot become what it says it is.
   */
  readonly action: 'add' | 'there' | 'changed' | 'conflict';
  /** Older than what is there already: it is published retired, so that it is not what `latest` means. */
  readonly retired: boolean;
  /** Why, for `conflict`; else a remark. */
  readonly reason?: string;
}

/** What an import will do with one model. */
export interface ModelPlan {
  readonly model: ModelName;
  /** Whether the model is new. */
  readonly isNew: boolean;
  /** The oldest first. */
  readonly items: readonly ImportItem[];
}

/** A version of a model as its history tells it. */
export interface PublishedBefore {
  readonly number: number;
  readonly manifest: string;
  readonly address?: string;
  readonly revision?: string;
  readonly objectVersion?: string;
}

/** More numbers are not left out for the sake of keeping one. */
const MAX_LEFT_OUT = 1000;

/** Reads from a model's history which versions came from where; undefined when there is no such model. */
export async function publishedBefore(
  registry: Registry,
  model: ModelName,
  signal?: AbortSignal,
): Promise<PublishedBefore[] | undefined> {
  const versions: PublishedBefore[] = [];
  try {
    for await (const { kind, body } of registry.history(model, { signal })) {
      if (kind === 'version-published') versions.push(...publishedIn(body));
    }
  } catch (error) {
    if (isIngotError(error, 'model-not-found', 'store-not-found')) return undefined;
    throw error;
  }
  return versions;
}

function publishedIn({ number, manifest, lineage }: JsonObject): PublishedBefore[] {
  if (typeof number !== 'number' || typeof manifest !== 'string') return [];
  const source = isJsonObject(lineage) && isJsonObject(lineage.source) ? lineage.source : {};
  const text = (key: string): string | undefined => (typeof source[key] === 'string' ? source[key] : undefined);
  return [
    {
      number,
      manifest,
      address: text('address'),
      revision: text('revision'),
      objectVersion: text('objectVersion'),
    },
  ];
}

/** Plans the import of one model: orders what was found, and says for each what becomes of it. */
export function planModel(
  model: ModelName,
  found: readonly SourceMatch[],
  before: readonly PublishedBefore[] | undefined,
): ModelPlan {
  const ordered = [...found].sort(olderFirst);
  const keepsNumbers = numbersCanStay(ordered);
  const published = before ?? [];
  let next = Math.max(0, ...published.map(({ number }) => number)) + 1;
  const there = ordered.map((match) => sameSource(published, match));
  const lastThere = there.findLastIndex((version) => version !== undefined);
  const items = ordered.map((match, index): ImportItem => {
    const known = there[index];
    const facts = { match, createdAt: createdAtOf(match), ...labelOf(match, keepsNumbers) };
    if (known !== undefined) return { ...facts, number: known.number, action: 'there', retired: false };
    const wanted = keepsNumbers ? wholeNumber(match.marks) : undefined;
    const conflict = wanted === undefined ? undefined : conflictOf(match, wanted, published);
    if (conflict !== undefined) return { ...facts, ...conflict, retired: false };
    const isLate = index < lastThere;
    const number = wanted !== undefined && wanted >= next ? wanted : next;
    next = number + 1;
    const moved = wanted !== undefined && wanted !== number;
    return {
      ...facts,
      number,
      ...(moved && { label: `v${wanted}` }),
      action: 'add',
      retired: isLate,
      ...(isLate && { reason: 'older than what is there already, so it is added retired' }),
    };
  });
  return { model, isNew: before === undefined, items };
}

/** By what the names say; without that, and for the same, by the time of the last change. */
function olderFirst(a: SourceMatch, b: SourceMatch): number {
  if (a.marks.length > 0 && b.marks.length > 0) {
    const order = compareMarks(a.marks, b.marks);
    if (order !== 0) return order;
  }
  return a.modifiedAt.getTime() - b.modifiedAt.getTime() || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}

/** Numbers stay when every version has one of its own, and none is so high that it is something else. */
function numbersCanStay(ordered: readonly SourceMatch[]): boolean {
  const numbers = ordered.map(({ marks }) => wholeNumber(marks));
  if (numbers.some((number) => number === undefined)) return false;
  const own = new Set(numbers);
  return (
    own.size === numbers.length && Math.max(...numbers.map((number) => number ?? 0)) - numbers.length <= MAX_LEFT_OUT
  );
}

/** A whole number beside other labels is kept as `v3`, for a label cannot be a number. */
function labelOf({ version, marks }: SourceMatch, keepsNumbers: boolean): { readonly label?: string } {
  if (version.label !== undefined) return { label: version.label };
  const number = wholeNumber(marks);
  return number === undefined || keepsNumbers ? {} : { label: `v${number}` };
}

function createdAtOf({ version, modifiedAt }: SourceMatch): string {
  return version.date ?? modifiedAt.toISOString();
}

function sameSource(published: readonly PublishedBefore[], match: SourceMatch): PublishedBefore | undefined {
  const { address, revision, objectVersion } = sourceOf(match);
  return published.find(
    (version) =>
      version.address === address &&
      (objectVersion === undefined || version.objectVersion === undefined
        ? version.revision === revision
        : version.objectVersion === objectVersion),
  );
}

/** Versions do not change: a number that is taken stays what it is. */
function conflictOf(
  match: SourceMatch,
  wanted: number,
  published: readonly PublishedBefore[],
): Pick<ImportItem, 'action' | 'reason'> | undefined {
  const holder = published.find(({ number }) => number === wanted);
  if (holder === undefined) return undefined;
  return holder.address === sourceOf(match).address
    ? { action: 'changed', reason: `it changed since it was imported as version ${wanted}, and versions do not change` }
    : { action: 'conflict', reason: `version ${wanted} is there already, from elsewhere` };
}
