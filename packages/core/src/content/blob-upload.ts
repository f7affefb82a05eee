import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import type { Digest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { BaseContents } from './base-contents.ts';
import { checkedSource, type KnownBody, known } from './checked-source.ts';
import type { ContentBody, ContentOptions, PutResult, SealedUpload, Upload } from './content-store.ts';
import { packKey } from './locator.ts';
import { packOf } from './pack.ts';
import type { Piece } from './recipe.ts';
import { absentPacks, uploadRootKey, writeUploadRoot } from './roots.ts';
import { type Plan, planUpload } from './upload-plan.ts';

const MAX_ROUNDS = 8;

/** What an upload needs to know. */
export interface BlobUploadContext {
  readonly blobs: BlobStore;
  readonly id: string;
  readonly modelId: string | (() => Promise<string>);
  readonly base: BaseContents;
  readonly packBytes: number;
  readonly now: () => Date;
}

/** One push into a blob store. */
export class BlobUpload implements Upload {
  readonly id: string;
  readonly #context: BlobUploadContext;
  readonly #contents: KnownBody[] = [];
  readonly #seen = new Set<Digest>();
  /** Where contents lie that this upload wrote, in packs that stand. */
  readonly #written = new Map<Digest, readonly Piece[]>();
  readonly #absent = new Set<string>();
  readonly #roots: string[] = [];
  readonly #standing: string[] = [];
  #packs = 0;
  #newBytes = 0;
  #sealed: SealedUpload | undefined;

  constructor(context: BlobUploadContext) {
    this.id = context.id;
    this.#context = context;
  }

  async put(content: ContentBody): Promise<PutResult> {
    if (this.#sealed !== undefined) throw new IngotError('usage', 'a sealed upload takes no more contents');
    const body = await known(content);
    this.#contents.push(body);
    const { digest, sizeBytes } = body;
    const stored = this.#seen.has(digest) || this.#context.base.has(digest);
    this.#seen.add(digest);
    return { digest, sizeBytes, newBytes: stored ? 0 : sizeBytes, storedBytes: stored ? sizeBytes : 0 };
  }

  async seal(options: ContentOptions = {}): Promise<SealedUpload> {
    if (this.#sealed !== undefined) return this.#sealed;
    for (let round = 1; round <= MAX_ROUNDS; round += 1) {
      const plan = await this.#plan(options);
      await this.#write(plan, options);
      if (!(await this.#rely(plan, blobOptions(options)))) continue;
      const totalBytes = this.#contents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const newBytes = this.#newBytes;
      this.#sealed = {
        recipe: plan.recipe,
        newBytes,
        storedBytes: totalBytes - newBytes,
        newChunks: this.#written.size,
        storedChunks: this.#contents.length - this.#written.size,
        packs: this.#standing.length,
        writtenBytes: newBytes,
      };
      return this.#sealed;
    }
    throw new IngotError('unavailable', 'a collection kept condemning what was just written', { operation: 'push' });
  }

  async release(): Promise<void> {
    for (const key of this.#roots.splice(0)) await this.#context.blobs.delete(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.release();
      // Packs of an upload that was never sealed can be named by nobody: an interrupted push gives its space back.
      if (this.#sealed === undefined) for (const key of this.#standing.splice(0)) await this.#context.blobs.delete(key);
    } catch (error) {
      // What cannot be removed now only takes space a while longer: a collection removes it.
      if (!(error instanceof IngotError)) throw error;
    }
  }

  async #plan(options: ContentOptions): Promise<Plan> {
    const { base, packBytes } = this.#context;
    const stored = new Map<Digest, readonly Piece[]>();
    for (const digest of this.#seen) {
      const own = this.#written.get(digest);
      const pieces = own?.every(({ pack }) => !this.#absent.has(pack))
        ? own
        : await base.pieces(digest, this.#absent, options);
      if (pieces !== undefined) stored.set(digest, pieces);
    }
    return planUpload({
      contents: this.#contents,
      stored,
      pages: base.pages(this.#absent),
      packBytes,
      nextPack: () => `${this.id}/${this.#packs++}`,
      open: (content) => checkedSource(content, options),
    });
  }

  async #write(plan: Plan, options: ContentOptions): Promise<void> {
    for (const { id, entries } of plan.packs) {
      const result = await this.#context.blobs.write(packKey(id), packOf(entries), blobOptions(options));
      if (result === 'exists')
        throw new IngotError('conflict', `pack ${id} is there already: another upload has this one's id`);
      this.#standing.push(packKey(id));
      for (const [digest, pieces] of plan.written) {
        if (pieces.every(({ pack }) => pack === id)) this.#note(digest, pieces);
      }
    }
  }

  #note(digest: Digest, pieces: readonly Piece[]): void {
    if (!this.#written.has(digest)) this.#newBytes += pieces.reduce((sum, { length }) => sum + length, 0);
    this.#written.set(digest, pieces);
  }

  /** Says on what this upload relies, then whether all of that will stay. */
  async #rely(plan: Plan, options: BlobOptions): Promise<boolean> {
    const { blobs, modelId, now } = this.#context;
    const key = uploadRootKey(this.id, this.#roots.length);
    this.#roots.push(key);
    await writeUploadRoot(
      blobs,
      key,
      {
        upload: this.id,
        modelId: typeof modelId === 'string' ? modelId : await modelId(),
        at: now().toISOString(),
        packs: plan.relied,
      },
      options,
    );
    const absent = await absentPacks(blobs, plan.relied, options);
    for (const pack of absent) this.#absent.add(pack);
    return absent.size === 0;
  }
}

function blobOptions({ signal }: ContentOptions): BlobOptions {
  return signal ? { signal } : {};
}
