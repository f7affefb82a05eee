import { IngotError } from '@ingot/core/errors';
import { isOciDigest, ociDigestOf, splitDigest } from '@ingot/core/oci/digest';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import type { Services } from '../services.ts';
import type { OciManifestRow } from './manifest-tables.ts';
import type { BlobReferences } from './oci-blobs.ts';
import { kindOfReferrer, namedBy, type PushedManifest } from './read-manifest.ts';
import type { RepositoryName } from './repository.ts';

/** A manifest that was pushed, as it lies there. */
export interface KeptManifest {
  readonly repository: string;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** What it is called unless it was asked for by another digest of it. */
  readonly digest: OciDigest;
  readonly sha256: OciDigest;
  /** The version that it became. */
  readonly version?: { readonly modelId: string; readonly number: number };
}

/** What is to be kept. */
export interface NewManifest {
  readonly repository: RepositoryName;
  readonly manifest: PushedManifest;
  /** What the client calls it. Default: what it was called before, else its SHA-256. */
  readonly digest?: OciDigest | undefined;
  readonly version?: { readonly modelId: string; readonly number: number } | undefined;
  /** Tags that are to name it: of what is no model. */
  readonly tags: readonly string[];
  readonly by: string;
}

/** A manifest as a list of referrers shows it. */
export interface Referrer {
  readonly digest: OciDigest;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

const NAMED_AT_ONCE = 200;

/** Manifests and tags that were pushed, by repository. */
export class ManifestRows implements BlobReferences {
  readonly #own: Services['database']['own'];
  readonly #now: () => Date;

  constructor({ database, now }: Pick<Services, 'database' | 'now'>) {
    this.#own = database.own;
    this.#now = now;
  }

  /** Finds a manifest by any digest of it; undefined: there is none. */
  async byDigest(repository: string, digest: OciDigest): Promise<KeptManifest | undefined> {
    const row = await this.#own
      .selectFrom('oci_manifests')
      .selectAll()
      .where('repository', '=', repository)
      .where(splitDigest(digest).algorithm, '=', digest)
      .executeTakeFirst();
    return row && { ...keptOf(row), digest };
  }

  /** Finds what a tag names. */
  async byTag(repository: string, tag: string): Promise<KeptManifest | undefined> {
    const row = await this.#own
      .selectFrom('oci_tags')
      .innerJoin('oci_manifests', (join) =>
        join
          .onRef('oci_manifests.repository', '=', 'oci_tags.repository')
          .onRef('oci_manifests.sha256', '=', 'oci_tags.manifest'),
      )
      .selectAll('oci_manifests')
      .select('oci_tags.digest as called')
      .where('oci_tags.repository', '=', repository)
      .where('oci_tags.tag', '=', tag)
      .executeTakeFirst();
    return row && { ...keptOf(row), digest: digestIn(row.called) };
  }

  /** The manifest that was pushed last of those that became a version; undefined where none did. */
  async ofVersion(modelId: string, number: number): Promise<KeptManifest | undefined> {
    const row = await this.#own
      .selectFrom('oci_manifests')
      .selectAll()
      .where('model_id', '=', modelId)
      .where('number', '=', number)
      .orderBy('at', 'desc')
      .orderBy('sha256')
      .executeTakeFirst();
    return row && keptOf(row);
  }

  /** A manifest of a version by digest, whatever the model was called when it was pushed. */
  async ofModel(modelId: string, digest: OciDigest): Promise<KeptManifest | undefined> {
    const row = await this.#own
      .selectFrom('oci_manifests')
      .selectAll()
      .where('model_id', '=', modelId)
      .where(splitDigest(digest).algorithm, '=', digest)
      .executeTakeFirst();
    return row && { ...keptOf(row), digest };
  }

  /** Keeps a manifest and points tags at it, in one transaction; the same again changes nothing but the tags. */
  async put({ repository, manifest, digest, version, tags, by }: NewManifest): Promise<KeptManifest> {
    const { bytes, mediaType, subject, annotations } = manifest;
    const [sha256, sha512] = [ociDigestOf(bytes), ociDigestOf(bytes, 'sha512')];
    const at = this.#now().toISOString();
    return await this.#own.transaction().execute(async (own) => {
      const before = await own
        .selectFrom('oci_manifests')
        .select('digest')
        .where('repository', '=', repository)
        .where('sha256', '=', sha256)
        .executeTakeFirst();
      const called = digest ?? (before === undefined ? sha256 : digestIn(before.digest));
      const changing = {
        digest: called,
        media_type: mediaType,
        model_id: version?.modelId ?? null,
        number: version?.number ?? null,
        at,
        by,
      };
      await own
        .insertInto('oci_manifests')
        .values({
          repository,
          sha256,
          sha512,
          bytes,
          size_bytes: bytes.byteLength,
          subject: subject?.digest ?? null,
          artifact_type: kindOfReferrer(manifest) ?? null,
          annotations: JSON.stringify(annotations),
          ...changing,
        })
        .onConflict((conflict) => conflict.columns(['repository', 'sha256']).doUpdateSet(changing))
        .execute();
      const named = [...new Set(namedBy(manifest).map((each) => each.digest))];
      for (let n = 0; n < named.length; n += NAMED_AT_ONCE)
        await own
          .insertInto('oci_manifest_contents')
          .values(named.slice(n, n + NAMED_AT_ONCE).map((each) => ({ repository, manifest: sha256, digest: each })))
          .onConflict((conflict) => conflict.columns(['repository', 'manifest', 'digest']).doNothing())
          .execute();
      for (const tag of tags) {
        const names = { manifest: sha256, digest: called, at, by };
        await own
          .insertInto('oci_tags')
          .values({ repository, tag, ...names })
          .onConflict((conflict) => conflict.columns(['repository', 'tag']).doUpdateSet(names))
          .execute();
      }
      return { repository, bytes, mediaType, digest: called, sha256, ...(version && { version }) };
    });
  }

  /** Removes a manifest with its tags; false: it was not there. */
  async remove(repository: string, { sha256 }: Pick<KeptManifest, 'sha256'>): Promise<boolean> {
    return await this.#own.transaction().execute(async (own) => {
      await own.deleteFrom('oci_tags').where('repository', '=', repository).where('manifest', '=', sha256).execute();
      await own
        .deleteFrom('oci_manifest_contents')
        .where('repository', '=', repository)
        .where('manifest', '=', sha256)
        .execute();
      const { numDeletedRows } = await own
        .deleteFrom('oci_manifests')
        .where('repository', '=', repository)
        .where('sha256', '=', sha256)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    });
  }

  /** Removes a tag alone; false: it was not there. */
  async untag(repository: string, tag: string): Promise<boolean> {
    const { numDeletedRows } = await this.#own
      .deleteFrom('oci_tags')
      .where('repository', '=', repository)
      .where('tag', '=', tag)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }

  /** Tags of one manifest, in no order. */
  async tagsOf(repository: string, { sha256 }: Pick<KeptManifest, 'sha256'>): Promise<readonly string[]> {
    const rows = await this.#own
      .selectFrom('oci_tags')
      .select('tag')
      .where('repository', '=', repository)
      .where('manifest', '=', sha256)
      .execute();
    return rows.map(({ tag }) => tag);
  }

  /** All tags of what is no model, in no order. */
  async tags(repository: string): Promise<readonly string[]> {
    const rows = await this.#own.selectFrom('oci_tags').select('tag').where('repository', '=', repository).execute();
    return rows.map(({ tag }) => tag);
  }

  /** Whether anything was pushed to a repository but versions of models, which are where the model is. */
  async has(repository: string): Promise<boolean> {
    const row = await this.#own
      .selectFrom('oci_manifests')
      .select('sha256')
      .where('repository', '=', repository)
      .where('model_id', 'is', null)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** All repositories that something was pushed to which is no version of a model, in no order. */
  async repositories(): Promise<readonly string[]> {
    const rows = await this.#own
      .selectFrom('oci_manifests')
      .select('repository')
      .distinct()
      .where('model_id', 'is', null)
      .execute();
    return rows.map(({ repository }) => repository);
  }

  /** What says something about a manifest, whether that is there or not, by digest. */
  async referrers(repository: string, subject: OciDigest): Promise<readonly Referrer[]> {
    const rows = await this.#own
      .selectFrom('oci_manifests')
      .select(['digest', 'media_type', 'size_bytes', 'artifact_type', 'annotations'])
      .where('repository', '=', repository)
      .where('subject', '=', subject)
      .execute();
    return rows
      .map((row) => ({
        digest: digestIn(row.digest),
        mediaType: row.media_type,
        size: Number(row.size_bytes),
        artifactType: row.artifact_type ?? undefined,
        annotations: JSON.parse(row.annotations),
      }))
      .sort((a, b) => (a.digest < b.digest ? -1 : 1));
  }

  async isReferenced(repository: RepositoryName, digest: OciDigest): Promise<boolean> {
    const row = await this.#own
      .selectFrom('oci_manifest_contents')
      .select('manifest')
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }
}

function keptOf(row: OciManifestRow): KeptManifest {
  const { repository, bytes, media_type: mediaType, model_id: modelId, number } = row;
  return {
    repository,
    bytes,
    mediaType,
    digest: digestIn(row.digest),
    sha256: digestIn(row.sha256),
    ...(modelId !== null && number !== null && { version: { modelId, number: Number(number) } }),
  };
}

function digestIn(text: string): OciDigest {
  if (isOciDigest(text)) return text;
  throw new IngotError('integrity', 'a digest in the database of manifests is damaged');
}
