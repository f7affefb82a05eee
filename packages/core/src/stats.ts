import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { openStore } from './content/store-format.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import { LiveIndex } from './content/sweep/live-index.ts';
import { addMovedRows, MovedFiles, marksOf } from './content/sweep/marks.ts';
import { LiveReader, type OnPage } from './content/sweep/read-live.ts';
import { standingRoots } from './content/sweep/standing-roots.ts';
import { type PackSurvey, surveyPacks } from './content/sweep/survey.ts';
import { isIngotError } from './errors.ts';
import type { OnProgress } from './progress.ts';
import { type CareModel, CareLogs, neededRecipes } from './registry/care-logs.ts';

/** Options of {@link stats}. */
export interface StatsOptions {
  readonly blobs: BlobStore;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** What the versions of a model, or of all, come to. */
export interface Weight {
  /** Versions that are not deleted. */
  readonly versions: number;
  /** Bytes of all files of all versions, as if nothing were shared. */
  readonly logicalBytes: number;
  /** Bytes that lie in packs for them, each once. What models share is counted for each of them. */
  readonly storedBytes: number;
  /** Pieces, pages and recipes that they need, each once. */
  readonly chunks: number;
}

/** What one model comes to. */
export interface ModelWeight extends Weight {
  /** Its name, or its id where it has none any more. */
  readonly model: string;
}

/** What a store comes to. */
export interface StatsResult {
  /** The largest first. */
  readonly models: readonly ModelWeight[];
  readonly all: Weight;
  /** How often each byte that is kept is used: logical bytes for each byte before coding. 1 when nothing is shared. */
  readonly deduplication: number;
  /** Bytes before coding for each byte that lies in packs. 1 when nothing is coded. */
  readonly compression: number;
  readonly packs: {
    readonly count: number;
    readonly bytes: number;
    /** Packs that nothing names, and their bytes: what `ingot gc` deletes. */
    readonly unreferenced: number;
    readonly unreferencedBytes: number;
    /** Packs of which less than half is needed, and what is not: what `ingot gc` saves by writing them again. */
    readonly thin: number;
    readonly thinBytes: number;
    /** Bytes of footers, and of all that is not needed in packs that are. */
    readonly otherBytes: number;
  };
  /** All that lies in the store, packs included: what a listing of it adds up to. */
  readonly disk: {
    readonly objects: number;
    readonly bytes: number;
    /** Bytes of the logs and of names. */
    readonly logBytes: number;
    /** Bytes of everything else: caches, roots, lists of collections, moved files, and what others put there. */
    readonly otherBytes: number;
  };
  /** Versions whose recipes cannot be read, so that they are not counted: `ingot check` says more. */
  readonly unreadable: readonly string[];
}

const RECIPES_AT_ONCE = 8;
const THIN_SHARE = 0.5;
const LOG = /^(names|models\/[^/]+)\/log\//;
const PACK = /^packs\/.*\.pack$/;

/**
 * Weighs a store: what versions come to, and what lies there for them. Reads logs, recipes and pages, no contents.
 * @throws IngotError `store-not-found`, `tampered` when logs are damaged.
 * @example
 * const { all } = await stats({ blobs });
 * console.log(all.logicalBytes / all.storedBytes);
 */
export async function stats(options: StatsOptions): Promise<StatsResult> {
  const call: BlobOptions = options.signal ? { signal: options.signal } : {};
  await openStore(options.blobs, call);
  return new Scales(options, call).weigh();
}

class Scales {
  readonly #blobs: BlobStore;
  readonly #call: BlobOptions;
  readonly #onProgress: OnProgress | undefined;
  readonly #all = new LiveIndex();
  /** Pieces of files, and the same places with lengths before coding. */
  readonly #pieces = new LiveIndex();
  readonly #plain = new LiveIndex();
  readonly #named = new Map<string, string>();
  readonly #unreadable: string[] = [];
  #done = 0;

  constructor({ blobs, onProgress }: StatsOptions, call: BlobOptions) {
    this.#blobs = blobs;
    this.#call = call;
    this.#onProgress = onProgress;
  }

  async weigh(): Promise<StatsResult> {
    const roots = await standingRoots(this.#blobs, this.#call);
    const { models } = await new CareLogs(this.#blobs).read(this.#call);
    const weights: ModelWeight[] = [];
    for (const model of models.values()) {
      const weight = await this.#model(model);
      if (weight.versions > 0) weights.push(weight);
    }
    const survey = await surveyPacks(this.#blobs, this.#call);
    const moved = new MovedFiles(this.#blobs);
    await moved.load(survey.moved.keys(), this.#call);
    const pinned = new Map(roots.flatMap(({ packs, key }) => packs.map((pack): [string, string] => [pack, key])));
    const { named } = marksOf({ versions: this.#named, roots: pinned }, moved);
    const stored = total(this.#all);
    const plain = total(this.#plain);
    const all = {
      versions: sum(weights, ({ versions }) => versions),
      logicalBytes: sum(weights, ({ logicalBytes }) => logicalBytes),
      storedBytes: stored.bytes,
      chunks: stored.rows,
    };
    addMovedRows(this.#all, moved);
    return {
      models: weights.sort((a, b) => b.storedBytes - a.storedBytes),
      all,
      deduplication: ratio(all.logicalBytes, plain.bytes),
      compression: ratio(plain.bytes, total(this.#pieces).bytes),
      packs: this.#packs(survey, named),
      disk: await this.#disk(),
      unreadable: this.#unreadable,
    };
  }

  async #model(model: CareModel): Promise<ModelWeight> {
    const index = new LiveIndex();
    const onPage: OnPage = (_, pieces) => {
      for (const piece of pieces) {
        this.#pieces.add(piece);
        this.#plain.add({ ...piece, length: piece.sizeBytes ?? piece.length });
      }
    };
    const reader = new LiveReader(this.#blobs, index, onPage);
    await inParallel(neededRecipes(model), RECIPES_AT_ONCE, async ({ label, recipe }) => {
      try {
        for (const pack of await reader.add(recipe, this.#call)) this.#named.set(pack, label);
      } catch (error) {
        if (!isIngotError(error, 'integrity', 'content-not-found')) throw error;
        this.#unreadable.push(label);
      }
      this.#done += 1;
      const message = String(this.#done);
      this.#onProgress?.({ phase: 'check', path: 'versions', doneBytes: 0, totalBytes: 0, message });
    });
    const kept = model.state.closed ? [] : model.state.versions.filter((entry) => entry && entry.status !== 'deleted');
    const { bytes, rows } = total(index, this.#all);
    return {
      model: model.name ?? model.id,
      versions: kept.length,
      logicalBytes: sum(kept, (entry) => entry?.sizeBytes ?? 0),
      storedBytes: bytes,
      chunks: rows,
    };
  }

  async #disk(): Promise<StatsResult['disk']> {
    const disk = { objects: 0, bytes: 0, logBytes: 0, otherBytes: 0 };
    for await (const { key, sizeBytes } of this.#blobs.list('', this.#call)) {
      disk.objects += 1;
      disk.bytes += sizeBytes;
      if (LOG.test(key)) disk.logBytes += sizeBytes;
      else if (!PACK.test(key)) disk.otherBytes += sizeBytes;
    }
    return disk;
  }

  #packs({ packs }: PackSurvey, named: ReadonlyMap<string, string>): StatsResult['packs'] {
    const result = { count: 0, bytes: 0, unreferenced: 0, unreferencedBytes: 0, thin: 0, thinBytes: 0, otherBytes: 0 };
    for (const [pack, { sizeBytes }] of packs) {
      result.count += 1;
      result.bytes += sizeBytes;
      const live = this.#all.rows(pack).bytes;
      if (!named.has(pack)) {
        result.unreferenced += 1;
        result.unreferencedBytes += sizeBytes;
      } else if (live < sizeBytes * THIN_SHARE) {
        result.thin += 1;
        result.thinBytes += sizeBytes - live;
      } else result.otherBytes += sizeBytes - live;
    }
    return result;
  }
}

/** Sums up an index, and adds its rows to another. */
function total(index: LiveIndex, into?: LiveIndex): { readonly bytes: number; readonly rows: number } {
  let bytes = 0;
  let count = 0;
  for (const pack of index.packs()) {
    const rows = index.rows(pack);
    bytes += rows.bytes;
    count += rows.offsets.length;
    if (into === undefined) continue;
    for (const [n, offset] of rows.offsets.entries()) into.add({ pack, offset, length: rows.lengths[n] ?? 0 });
  }
  return { bytes, rows: count };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((all, item) => all + of(item), 0);
}

function ratio(a: number, b: number): number {
  return b === 0 ? 1 : a / b;
}
