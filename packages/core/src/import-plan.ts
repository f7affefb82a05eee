import type { JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';
import { isIngotError } from './errors.ts';
import type { ModelName } from './ref.ts';
import type { Registry } from './registry/registry.ts';
import { someOf, withoutExtension } from './source/choose.ts';
import { compareMarks, wholeNumber } from './source/marks.ts';
import { MODEL_FILE } from './source/model-files.ts';
import { isTelling } from './source/model-name.ts';
import { readName } from './source/read-name.ts';
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

/**
 * Reads from a model's history which versions came from where; undefined when there is no such model, or no store yet.
 * @throws IngotError as reading a history does.
 */
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
  const published = before ?? [];
  const last = Math.max(0, ...published.map(({ number }) => number));
  const ordered = [...found].sort(olderFirst);
  const newestThere = ordered.findLastIndex((match) => wasPublished(published, match));
  const keepsNumbers = numbersCanStay(ordered);
  const items = ordered.map((match, index): ImportItem => {
    const wanted = keepsNumbers ? wholeNumber(match.marks) : undefined;
    const facts = { match, createdAt: createdAtOf(match), ...labelOf(match, keepsNumbers) };
    const known = sameSource(published, match);
    if (known !== undefined) return { ...facts, number: known.number, action: 'there', retired: false };
    const conflict =
      mixedUp(match, found, model) ?? (wanted === undefined ? undefined : taken(match, wanted, published));
    if (conflict !== undefined) return { ...facts, ...conflict, retired: false };
    const isLate = index < newestThere || (wanted !== undefined && wanted <= last);
    return {
      ...facts,
      ...(wanted !== undefined && { number: wanted }),
      action: 'add',
      retired: isLate,
      ...(isLate && { reason: 'older than what is there already, so it is added retired' }),
    };
  });
  return { model, isNew: before === undefined, items: numbered(items, last) };
}

/** Gives numbers to what is added: what keeps its own comes first, then what comes too late for it. */
function numbered(items: readonly ImportItem[], last: number): ImportItem[] {
  const isTooLate = ({ action, number }: ImportItem): boolean => action === 'add' && (number ?? last + 1) <= last;
  let next = last + 1;
  return [...items.filter((item) => !isTooLate(item)), ...items.filter(isTooLate)].map((item) => {
    if (item.action !== 'add') return item;
    const number = Math.max(item.number ?? 0, next);
    next = number + 1;
    return {
      ...item,
      number,
      ...(item.number !== undefined && item.number !== number && { label: `v${item.number}` }),
    };
  });
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
  // Places that keep no time say the beginning of time.
  return version.date ?? (modifiedAt.getTime() === 0 ? new Date() : modifiedAt).toISOString();
}

/** The version that an import made of just this: the same file, not written to since. */
export function sameSource(published: readonly PublishedBefore[], match: SourceMatch): PublishedBefore | undefined {
  const { address, revision, objectVersion } = sourceOf(match);
  return published.find(
    (version) =>
      version.address === address &&
      (objectVersion === undefined || version.objectVersion === undefined
        ? version.revision === revision
        : version.objectVersion === objectVersion),
  );
}

/** Whether an earlier import brought a version from this file, as it is now or as it was. */
function wasPublished(published: readonly PublishedBefore[], match: SourceMatch): boolean {
  const { address, objectVersion } = sourceOf(match);
  return (
    sameSource(published, match) !== undefined ||
    (objectVersion === undefined && published.some((version) => version.address === address))
  );
}

/** Files that are not one history: of two models that would get one name, or of one version in two formats. */
function mixedUp(
  match: SourceMatch,
  found: readonly SourceMatch[],
  model: ModelName,
): Pick<ImportItem, 'action' | 'reason'> | undefined {
  const called = [...new Set(found.map(wordsOf))];
  if (called.length > 1) {
    const names = someOf(called.map((words) => `"${words}"`));
    return { action: 'conflict', reason: `${names} would all be called ${model}; import each by itself, with --name` };
  }
  const other = found.find((one) => isOtherFormat(one, match));
  return (
    other && {
      action: 'conflict',
      reason: `${other.path} says it is version ${match.version.text}, too; import one format at a time, as in '*.pkl'`,
    }
  );
}

/** The words that give a match its name, as they are written. */
function wordsOf({ path }: SourceMatch): string {
  const telling = path.split('/').map(withoutExtension).findLast(isTelling);
  return telling === undefined ? '' : readName(telling.normalize('NFC')).words.join(' ');
}

function isOtherFormat(a: SourceMatch, b: SourceMatch): boolean {
  const formatOf = ({ path }: SourceMatch): string => (MODEL_FILE.exec(path)?.[0] ?? '').toLowerCase();
  if (a.kind !== 'file' || b.kind !== 'file' || a.marks.length === 0 || formatOf(a) === formatOf(b)) return false;
  return compareMarks(a.marks, b.marks) === 0;
}

/** Versions do not change: a number that is taken stays what it is. */
function taken(
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
