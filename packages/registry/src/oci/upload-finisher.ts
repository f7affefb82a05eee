import { type Digest, parseDigest } from '@ingot/core/digest';
import { asOciDigest, type DigestAlgorithm, ociDigestOf, splitDigest } from '@ingot/core/oci/digest';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import type { Kysely } from 'kysely';
import { ArtifactReader } from '../artifacts/artifact-reader.ts';
import { recipesOf } from '../artifacts/artifact-rows.ts';
import { lockHolding, releaseHoldings } from '../artifacts/holdings.ts';
import type { OwnTables } from '../database/own-tables.ts';
import { type BlobContext, otherBytes } from './blob-context.ts';
import type { OciUploadRow } from './blob-tables.ts';
import type { PushedBlobs } from './pushed-blobs.ts';
import { parseRepository } from './repository.ts';
import { addBytes, digestsOf, newHashes, type RunningHashes } from './running-hashes.ts';
import { storeBody } from './store-body.ts';
import { endUpload, noUpload, partsOf, type UploadPart } from './upload-rows.ts';

/** Makes blobs of uploads that have all their bytes. */
export class UploadFinisher {
  readonly #context: BlobContext;
  readonly #blobs: PushedBlobs;
  readonly #hashes: RunningHashes;
  readonly #reader: ArtifactReader;

  constructor(context: BlobContext, blobs: PushedBlobs, hashes: RunningHashes) {
    this.#context = context;
    this.#blobs = blobs;
    this.#hashes = hashes;
    this.#reader = new ArtifactReader(context);
  }

  /**
   * Makes a blob of an upload, which is over then: one part becomes the blob as it is, several are joined.
   * @throws IngotError DIGEST_INVALID, and the upload is as it was; RANGE_INVALID when more came meanwhile.
   */
  async finish(row: OciUploadRow, digest: OciDigest): Promise<void> {
    if (row.parts === 0) await this.#staged(row, digest);
    else await this.#parts(row, digest, await partsOf(this.#own, row.id));
  }

  async #staged(row: OciUploadRow, digest: OciDigest): Promise<void> {
    const bytes = row.bytes ?? new Uint8Array(0);
    const found = ociDigestOf(bytes, splitDigest(digest).algorithm);
    if (found !== digest) throw otherBytes(digest, found);
    await this.#blobs.stage(parseRepository(row.repository), digest, bytes);
    await endUpload(this.#own, row);
  }

  async #parts(row: OciUploadRow, digest: OciDigest, parts: readonly UploadPart[]): Promise<void> {
    const { algorithm } = splitDigest(digest);
    const [only] = parts;
    if (only === undefined || parts.length !== row.parts) throw noUpload(row.id);
    const digests = await this.#digestsOf(row, parts, algorithm);
    const found = digests.get(algorithm) ?? asOciDigest(only.content);
    if (found !== digest) throw otherBytes(digest, found);
    const extra =
      parts.length === 1
        ? await this.#own.transaction().execute(async (own) => {
            await endUpload(own, row);
            if (!(await lockHolding(own, only.holding))) throw noUpload(row.id);
            return await this.#blobs.keeping(parseRepository(row.repository), digest).note(own, only);
          })
        : await this.#join(row, digest, parts, parseDigest(digests.get('sha256') ?? only.content));
    await releaseHoldings(this.#context, extra);
  }

  /** Makes one content of all parts, without reading them. Gives the holdings of the parts. */
  async #join(
    row: OciUploadRow,
    digest: OciDigest,
    parts: readonly UploadPart[],
    whole: Digest,
  ): Promise<readonly string[]> {
    const keeping = this.#blobs.keeping(parseRepository(row.repository), digest, (content) => {
      if (content !== whole) throw otherBytes(digest, content);
    });
    const holdings = parts.map(({ holding }) => holding);
    const extra = await storeBody(
      this.#context,
      {
        open: () => this.#read(parts),
        sizeBytes: row.size_bytes,
        base: await recipesOf(this.#own, holdings),
        digest: whole,
        joined: parts.map(({ content }) => content),
      },
      {
        ...keeping,
        note: async (own, held) => {
          await endUpload(own, row);
          return await keeping.note(own, held);
        },
      },
    );
    return [...extra, ...holdings];
  }

  /** The SHA-256 of what came, and its digest by another algorithm if one is asked for: as remembered, or read again. */
  async #digestsOf(
    { id, size_bytes }: OciUploadRow,
    parts: readonly UploadPart[],
    algorithm: DigestAlgorithm,
  ): Promise<ReadonlyMap<DigestAlgorithm, OciDigest>> {
    if (parts.length === 1 && algorithm === 'sha256') return new Map();
    const remembered = this.#hashes.digests(id, size_bytes);
    if (remembered?.has(algorithm)) return remembered;
    const hashes = newHashes(algorithm === 'sha256' ? ['sha256'] : ['sha256', algorithm]);
    for await (const bytes of this.#read(parts)) addBytes(hashes, bytes);
    return digestsOf(hashes);
  }

  async *#read(parts: readonly UploadPart[]): AsyncGenerator<Uint8Array> {
    for (const { content, sizeBytes, holding } of parts) {
      const recipe = await this.#reader.recipe(holding);
      yield* this.#context.store.contents.read(recipe, content, { range: { start: 0, end: sizeBytes } });
    }
  }

  get #own(): Kysely<OwnTables> {
    return this.#context.database.own;
  }
}
