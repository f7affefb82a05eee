/**
 * The *artifact tree* is a tree of paths over contents: `<experiment>/<run>/artifacts/…` and
 * `<experiment>/models/<id>/artifacts/…`. A *node* is a file or directory. Small files are *staged* in the database, where
 * one durable write takes many; large ones stream into packs. A *holding* is a recipe with bytes of files, and its root.
 */

import type { EndingReader, ReadOptions } from '@ingot/core/content/content-store';
import { type Digest, digestOf } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { type ArtifactContext, newId } from './artifact-context.ts';
import type { ArtifactPath } from './artifact-path.ts';
import { ArtifactReader } from './artifact-reader.ts';
import {
  type ArtifactEntry,
  type ArtifactFile,
  findFile,
  listDirectory,
  placeFiles,
  recipesOf,
  removeNodes,
} from './artifact-rows.ts';
import { Gate } from './gate.ts';
import { releaseHoldings, removeRoot } from './holdings.ts';
import { type ReceiveOptions, receive } from './incoming.ts';
import { StagingWriter } from './staging-writer.ts';

/** Large files that are taken at once; each has a few MiB in memory. Others wait, and so do their senders. */
const LARGE_AT_ONCE = 4;

/** From this size on it is worth looking whether an earlier file of the name has some of the bytes. */
const WORTH_LOOKING_BYTES = 1024 * 1024;

/** What became of a file that was put. */
export interface PutArtifact {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Options of {@link ArtifactTree.put}. */
export type PutArtifactOptions = Omit<ReceiveOptions, 'scratch'>;

interface PutLargeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly base?: readonly string[];
  readonly reader?: EndingReader | undefined;
}

/** Files and directories under paths that were checked. */
export class ArtifactTree {
  readonly reader: ArtifactReader;
  readonly #context: ArtifactContext;
  readonly #staging: StagingWriter;
  readonly #large = new Gate(LARGE_AT_ONCE);

  constructor(context: ArtifactContext) {
    this.#context = context;
    this.reader = new ArtifactReader(context);
    this.#staging = new StagingWriter(context);
  }

  /**
   * Takes a file; what had its name is replaced when all of it is durable, and not before.
   * @throws IngotError `invalid-request` (a directory is there, another size), `interrupted`, and as the store does.
   */
  async put(
    path: ArtifactPath,
    body: AsyncIterable<Uint8Array>,
    options: PutArtifactOptions = {},
  ): Promise<PutArtifact> {
    const { signal } = options;
    const incoming = await receive(body, { ...options, scratch: this.#context.scratch });
    if ('bytes' in incoming) return await this.#putSmall(path, incoming.bytes);
    try {
      const { stream, sizeBytes, reader } = incoming;
      return await this.#large.through(() => this.putLarge(path, sizeBytes, () => stream, { signal, reader }), signal);
    } finally {
      await incoming.dispose();
    }
  }

  async #putSmall(path: ArtifactPath, bytes: Uint8Array): Promise<PutArtifact> {
    const [digest, sizeBytes] = [digestOf(bytes), bytes.byteLength];
    const at = this.#context.now().toISOString();
    await this.#letGo(await this.#staging.place({ path, digest, sizeBytes, at, place: { bytes } }));
    return { digest, sizeBytes };
  }

  /**
   * Stores a file of a known size in packs, and then gives it its place.
   * @param base holdings that may have some of its bytes. Default: that of the newest file of its name in its experiment.
   * @param reader reads its bytes instead of what `open` gives.
   */
  async putLarge(
    path: ArtifactPath,
    sizeBytes: number,
    open: () => AsyncIterable<Uint8Array>,
    { signal, base, reader }: PutLargeOptions = {},
  ): Promise<PutArtifact> {
    const { store, database, owner, now } = this.#context;
    const holding = newId(this.#context);
    const alike = base ?? (sizeBytes < WORTH_LOOKING_BYTES ? [] : await this.#alike(path));
    await using upload = await store.contents.openUpload({
      keptAs: { kind: 'artifacts', id: holding, owner },
      base: await recipesOf(database.own, alike),
      ...(signal && { signal }),
    });
    const openBlocks = reader && once(async () => reader);
    const opened = { open: once(open), ...(openBlocks && { openBlocks }) };
    const { digest } = await upload.put({ role: 'file', path: path.name, sizeBytes, ...opened });
    const { recipe, root = '' } = await upload.seal({ ...(signal && { signal }) });
    const at = now().toISOString();
    try {
      const row = { id: holding, recipe: JSON.stringify(recipe), root, at };
      await this.#letGo(await placeFiles(database.own, [{ path, digest, sizeBytes, at, place: { holding } }], row));
    } catch (error) {
      await removeRoot(store.blobs, root);
      throw error;
    }
    await upload.release();
    return { digest, sizeBytes };
  }

  /** Finds a file. Throws `not-found`. */
  async file(path: ArtifactPath): Promise<ArtifactFile> {
    const file = await findFile(this.#context.database.own, path.text);
    if (file !== undefined) return file;
    throw new IngotError('not-found', `No such artifact: ${path.text}`);
  }

  /** Lists a directory by name; nothing for a file, and for what is not there. */
  async list(path: ArtifactPath | undefined): Promise<readonly ArtifactEntry[]> {
    return await listDirectory(this.#context.database.own, path?.text ?? '');
  }

  /** Streams a file. Throws as {@link ArtifactReader.read} does. */
  read(file: ArtifactFile, options?: ReadOptions): AsyncIterable<Uint8Array> {
    return this.reader.read(file, options);
  }

  /** Removes a file, or a directory with all in it; nothing happens when there is none. */
  async remove(path: ArtifactPath): Promise<void> {
    await this.#letGo(await removeNodes(this.#context.database.own, path.text));
  }

  /** Waits until everything that was taken is durable. */
  async settle(): Promise<void> {
    await this.#staging.settle();
  }

  async #letGo(holdings: readonly string[]): Promise<void> {
    if (holdings.length > 0) await releaseHoldings(this.#context, holdings);
  }

  async #alike({ name, segments }: ArtifactPath): Promise<readonly string[]> {
    const rows = await this.#context.database.own
      .selectFrom('artifact_nodes')
      .select(['path', 'holding'])
      .where('name', '=', name)
      .where('holding', 'is not', null)
      .orderBy('at', 'desc')
      .limit(8)
      .execute();
    const newest = rows.find(({ path }) => path.startsWith(`${segments[0]}/`));
    return newest?.holding == null ? [] : [newest.holding];
  }
}

/** A body that came over a line cannot come again: whoever sent it is asked to send it again. */
function once<T>(open: () => T): () => T {
  let opened = false;
  return () => {
    if (opened)
      throw new IngotError('unavailable', 'a collection took what the file relied on while it came', {
        retryable: true,
        hint: 'send it again',
      });
    opened = true;
    return open();
  };
}
