import type { BlobOptions } from '../blob/blob-store.ts';
import { isIngotError } from '../errors.ts';
import { type ModelBrief, briefOf, parseBrief, summaryFrom } from './brief.ts';
import type { ModelDirectory } from './model-directory.ts';
import type { NamedModel } from './names-fold.ts';
import type { ModelSummary } from './registry.ts';
import type { BriefAt } from './shared-briefs.ts';
import { SharedBriefs } from './shared-briefs.ts';

const BATCH = 64;

/** After reading the events of so many models, the listing is left in the store for the next machine. */
const SHARE_AFTER = 100;

/**
 * Streams what a listing says of all models, by name: one request a model when nothing is new since it was remembered
 * on this machine, two when somebody left a listing in the store.
 */
export async function* listModels(directory: ModelDirectory, options: BlobOptions): AsyncGenerator<ModelSummary> {
  const { state } = await (await directory.names(options)).refresh(options);
  const named = [...state.models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const listing = new Listing(directory);
  for (let from = 0; from < named.length; from += BATCH) {
    const batch = named.slice(from, from + BATCH);
    const listed = batch.map(async (model) => ({ model, brief: await listing.brief(model, options) }));
    for (const { model, brief } of await Promise.all(listed)) if (!brief.closed) yield summaryFrom(model, brief);
  }
  await listing.share(options);
}

class Listing {
  readonly #directory: ModelDirectory;
  readonly #shared: SharedBriefs;
  readonly #found = new Map<string, BriefAt>();
  #readCount = 0;

  constructor(directory: ModelDirectory) {
    this.#directory = directory;
    this.#shared = new SharedBriefs(directory.tools.blobs, directory.tools.warn);
  }

  async brief({ id }: NamedModel, options: BlobOptions): Promise<ModelBrief> {
    if (!this.#directory.isOpen(id)) {
      const known = (await this.#remembered(id, options)) ?? (await this.#left(id, options));
      if (known !== undefined) return this.#find(id, known);
      this.#readCount += 1;
    }
    const { seq, digest, at, state } = await this.#directory.log(id).refresh({ ...options, trusting: true });
    const brief = briefOf(state, at);
    return digest === null ? brief : this.#find(id, { seq, digest, brief });
  }

  /** Leaves the listing in the store when it was laborious and the store takes it. */
  async share(options: BlobOptions): Promise<void> {
    if (this.#readCount < SHARE_AFTER || !(await this.#directory.isWritable(options))) return;
    await this.#shared.write(this.#found, this.#directory.tools.now(), options);
  }

  #find(id: string, found: BriefAt): ModelBrief {
    this.#found.set(id, found);
    return found.brief;
  }

  async #remembered(id: string, options: BlobOptions): Promise<BriefAt | undefined> {
    const seen = this.#directory.seen(id);
    if (seen?.brief === undefined) return undefined;
    if (await this.#directory.files(id).has(seen.seq + 1, options)) return undefined;
    try {
      return { seq: seen.seq, digest: seen.digest, brief: parseBrief(seen.brief, id) };
    } catch (error) {
      // Kept by another release: the model is read instead.
      if (!isIngotError(error, 'integrity')) throw error;
      return undefined;
    }
  }

  // What others left counts only while the log ends where they saw it end.
  async #left(id: string, options: BlobOptions): Promise<BriefAt | undefined> {
    const known = (await this.#shared.read(options)).get(id);
    if (known === undefined || this.#directory.seen(id) !== undefined) return undefined;
    const files = this.#directory.files(id);
    const [last, next] = await Promise.all([files.has(known.seq, options), files.has(known.seq + 1, options)]);
    if (!last || next) return undefined;
    this.#directory.note(id, known);
    return known;
  }
}
