import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import type { Look } from './collect-look.ts';
import type { AbandonedUpload } from './collect-report.ts';
import type { StandingRoot } from './content/sweep/standing-roots.ts';
import type { ExpireUpload } from './registry/care-expire.ts';
import type { CareView } from './registry/care-logs.ts';

/** Roots that count no more: of uploads that were given up, of collections that died. */
export class OldRoots {
  readonly #isOldUpload: (modifiedMs: number) => boolean;
  readonly #isOldCollection: (modifiedMs: number) => boolean;
  readonly #abandoned = new Map<string, AbandonedUpload>();

  /** Takes what says of a root's time in the storage whether its upload, or its collection, is given up. */
  constructor(ages: Record<'isOldUpload' | 'isOldCollection', (modifiedMs: number) => boolean>) {
    this.#isOldUpload = ages.isOldUpload;
    this.#isOldCollection = ages.isOldCollection;
  }

  /** Uploads that {@link isAbandoned} said yes to. */
  get abandoned(): readonly AbandonedUpload[] {
    return [...this.#abandoned.values()];
  }

  /** Whether a root need not be looked at once its upload is given up; remembers the upload. */
  isAbandoned(root: StandingRoot, view: CareView): boolean {
    if (this.isOfOldCollection(root)) return true;
    if (root.upload === undefined || !this.#isOldUpload(root.modifiedMs)) return false;
    // Of a model that nobody knows, nobody can say that an upload of it is given up.
    const model = view.models.get(root.upload.modelId);
    if (model === undefined) return false;
    const { id, modelId } = root.upload;
    this.#abandoned.set(id, { upload: id, modelId, ...(model.name === undefined ? {} : { model: model.name }) });
    return true;
  }

  /** Whether a root kept the new packs of a collection that is at work no more. */
  isOfOldCollection({ run, modifiedMs }: StandingRoot): boolean {
    return run !== undefined && this.#isOldCollection(modifiedMs);
  }

  /** Gives the abandoned uploads up: first the events that forbid to publish them, then their roots. */
  async giveUp(blobs: BlobStore, { roots }: Look, expire: ExpireUpload, options: BlobOptions): Promise<void> {
    for (const { upload, modelId } of this.#abandoned.values()) await expire(modelId, upload, options);
    for (const root of roots) {
      if (root.upload !== undefined && this.#abandoned.has(root.upload.id)) await blobs.delete(root.key, options);
    }
  }

  /** Deletes the roots that count no more at a later look. */
  async drop(blobs: BlobStore, look: Look, options: BlobOptions): Promise<void> {
    const gone = [...look.void, ...look.roots.filter((root) => this.isOfOldCollection(root))];
    for (const { key } of gone) await blobs.delete(key, options);
  }
}
