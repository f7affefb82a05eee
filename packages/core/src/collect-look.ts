import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { LiveIndex } from './content/sweep/live-index.ts';
import { addMovedRows, MovedFiles, type Marks, marksOf } from './content/sweep/marks.ts';
import { LiveReader } from './content/sweep/read-live.ts';
import { type StandingRoot, standingRoots } from './content/sweep/standing-roots.ts';
import { type PackSurvey, surveyPacks } from './content/sweep/survey.ts';
import { isIngotError } from './errors.ts';
import { type CareModel, type CareView, CareLogs, cannotTell, neededRecipes } from './registry/care-logs.ts';

/** All that decides what is needed, as it was at one look. */
export interface Look {
  readonly roots: readonly StandingRoot[];
  readonly view: CareView;
  readonly survey: PackSurvey;
  readonly marks: Marks;
  /** Uploads of which nothing is needed any more: given up, or of a model that is deleted. */
  readonly void: readonly StandingRoot[];
}

/** Says of a root, given what is known of its model, whether it does not count although its upload is not given up yet. */
export type IsAbandoned = (root: StandingRoot, view: CareView) => boolean;

/** Options of an {@link Observer}. */
export interface ObserverOptions {
  /** Versions that do not count although they stand; only for saying what would be. */
  readonly isReleased?: (label: string) => boolean;
  readonly onRecipe?: () => void;
}

/**
 * Looks at a store again and again, in the one order that is safe: roots, then logs, then packs and moved files. What
 * never changes (events, recipes, pages, moved files) is read once.
 */
export class Observer {
  readonly index = new LiveIndex();
  readonly moved: MovedFiles;
  readonly #blobs: BlobStore;
  readonly #logs: CareLogs;
  readonly #reader: LiveReader;
  readonly #options: ObserverOptions;

  constructor(blobs: BlobStore, options: ObserverOptions = {}) {
    this.#blobs = blobs;
    this.#options = options;
    this.#logs = new CareLogs(blobs);
    this.#reader = new LiveReader(blobs, this.index);
    this.moved = new MovedFiles(blobs);
  }

  /** Reads all logs as they are now. */
  logs(options: BlobOptions): Promise<CareView> {
    return this.#logs.read(options);
  }

  /**
   * Looks once.
   * @throws IngotError when anything that decides what is needed cannot be read: then nothing may be deleted.
   */
  async look(isAbandoned: IsAbandoned, options: BlobOptions): Promise<Look> {
    const roots = await standingRoots(this.#blobs, options);
    const view = await this.#logs.read(options);
    const survey = await surveyPacks(this.#blobs, options);
    await this.moved.load(survey.moved.keys(), options);
    const versions = await this.#needs(view, options);
    const gone = roots.filter((root) => isVoid(root, view));
    const counted = roots.filter((root) => !gone.includes(root) && !isAbandoned(root, view));
    addMovedRows(this.index, this.moved);
    const marks = marksOf({ versions, roots: namesOf(counted) }, this.moved);
    return { roots, view, survey, marks, void: gone };
  }

  async #needs(view: CareView, options: BlobOptions): Promise<ReadonlyMap<string, string>> {
    const named = new Map<string, string>();
    for (const model of view.models.values()) {
      for (const { label, recipe } of neededRecipes(model)) {
        if (this.#options.isReleased?.(label) === true) continue;
        const packs = await this.#packsOf(model, label, recipe, options);
        for (const pack of packs) if (!named.has(pack)) named.set(pack, `${label} needs it`);
        this.#options.onRecipe?.();
      }
    }
    return named;
  }

  async #packsOf(
    model: CareModel,
    label: string,
    recipe: Parameters<LiveReader['add']>[0],
    options: BlobOptions,
  ): Promise<Iterable<string>> {
    try {
      return await this.#reader.add(recipe, options);
    } catch (error) {
      if (!isIngotError(error, 'content-not-found', 'integrity')) throw error;
      // Another collection may have taken what was deleted a moment ago.
      const now = (await this.#logs.read(options)).models.get(model.id);
      if (now !== undefined && !neededRecipes(now).some((needed) => needed.recipe.digest === recipe.digest)) return [];
      throw cannotTell(label, error);
    }
  }
}

/** Whether nothing can be published any more that relies on what a root names. */
function isVoid({ upload }: StandingRoot, view: CareView): boolean {
  const model = upload === undefined ? undefined : view.models.get(upload.modelId);
  if (upload === undefined || model === undefined) return false;
  return model.state.closed || model.state.expiredUploads.includes(upload.id);
}

function namesOf(roots: readonly StandingRoot[]): ReadonlyMap<string, string> {
  return new Map(roots.flatMap((root) => root.packs.map((pack): [string, string] => [pack, reasonOf(root)])));
}

function reasonOf({ key, upload, run }: StandingRoot): string {
  if (upload !== undefined) return `the upload ${upload.id} in flight relies on it`;
  return run === undefined ? `${key} names it` : `the collection ${run} is writing it`;
}
