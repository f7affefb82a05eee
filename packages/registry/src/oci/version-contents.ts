import { type Digest, isDigest } from '@ingot/core/digest';
import { isIngotError } from '@ingot/core/errors';
import type { RecipeRef } from '@ingot/core/content/content-store';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import type { ModelName } from '@ingot/core/ref';
import type { VersionRecord } from '@ingot/core/registry/registry';
import type { Services } from '../services.ts';
import type { ModelContents, OciBlob } from './oci-blobs.ts';
import { modelOf, type RepositoryName, repositoryOf } from './repository.ts';
import type { VersionPackages } from './version-packages.ts';

const LOOKED_AT_ONCE = 50;

/** Finds contents of versions by digest: files by the index, what is no file by what is noted of versions once looked at. */
export class VersionContents implements ModelContents {
  readonly #services: Pick<Services, 'database' | 'index'>;
  readonly #packages: VersionPackages;

  constructor(services: Pick<Services, 'database' | 'index'>, packages: VersionPackages) {
    this.#services = services;
    this.#packages = packages;
  }

  async find(repository: RepositoryName, digest: OciDigest): Promise<OciBlob | undefined> {
    const modelId = await this.#modelId(repository);
    if (modelId === undefined || !isDigest(digest)) return undefined;
    const kept = await this.#packages.kept(modelId, digest);
    if (kept !== undefined && (await this.#isThere(modelId, kept.number))) return kept.blob;
    return (await this.#byIndex(modelId, digest)) ?? (await this.#byLooking(modelId, digest));
  }

  async formerNames(repository: RepositoryName, digest: OciDigest): Promise<readonly RepositoryName[]> {
    const modelId = await this.#modelId(repository);
    if (modelId === undefined) return [];
    const rows = await this.#services.database.own
      .selectFrom('oci_manifests')
      .innerJoin('oci_manifest_contents', (join) =>
        join
          .onRef('oci_manifest_contents.repository', '=', 'oci_manifests.repository')
          .onRef('oci_manifest_contents.manifest', '=', 'oci_manifests.sha256'),
      )
      .select('oci_manifests.repository')
      .distinct()
      .where('oci_manifests.model_id', '=', modelId)
      .where('oci_manifest_contents.digest', '=', digest)
      .where('oci_manifests.repository', '<>', repository)
      .execute();
    return rows.flatMap((row) => repositoryOf(row.repository) ?? []);
  }

  /** Recipes of the newest versions, newest first: what a new blob of the repository may share with. */
  async newest(repository: RepositoryName, count: number): Promise<readonly RecipeRef[]> {
    const modelId = await this.#modelId(repository);
    if (modelId === undefined) return [];
    const rows = await this.#services.database.index
      .selectFrom('versions')
      .select('record')
      .where('model_id', '=', modelId)
      .where('status', '<>', 'deleted')
      .orderBy('number', 'desc')
      .limit(count)
      .execute();
    return rows.map(({ record }) => recordIn(record).recipe);
  }

  async #modelId(repository: RepositoryName): Promise<string | undefined> {
    const name: ModelName | undefined = modelOf(repository);
    if (name === undefined) return undefined;
    try {
      return (await this.#services.index.placeOf(name)).id;
    } catch (error) {
      if (isIngotError(error, 'model-not-found')) return undefined;
      throw error;
    }
  }

  async #isThere(modelId: string, number: number): Promise<boolean> {
    const row = await this.#services.database.index
      .selectFrom('versions')
      .select('status')
      .where('model_id', '=', modelId)
      .where('number', '=', number)
      .executeTakeFirst();
    return row !== undefined && row.status !== 'deleted';
  }

  async #byIndex(modelId: string, digest: Digest): Promise<OciBlob | undefined> {
    const { index, own } = this.#services.database;
    const file = await index
      .selectFrom('version_files')
      .innerJoin('versions', (join) =>
        join
          .onRef('versions.model_id', '=', 'version_files.model_id')
          .onRef('versions.number', '=', 'version_files.number'),
      )
      .select('versions.record')
      .where('version_files.model_id', '=', modelId)
      .where('version_files.digest', '=', digest)
      .where('versions.status', '<>', 'deleted')
      .limit(1)
      .executeTakeFirst();
    const inFiles = file && (await this.#blobOf(file.record, digest));
    if (inFiles !== undefined) return inFiles;
    const made = await own
      .selectFrom('oci_version_contents')
      .select('number')
      .where('model_id', '=', modelId)
      .where('digest', '=', digest)
      .execute();
    for (const { number } of made) {
      const row = await index
        .selectFrom('versions')
        .select('record')
        .where('model_id', '=', modelId)
        .where('number', '=', Number(number))
        .where('status', '<>', 'deleted')
        .executeTakeFirst();
      const found = row && (await this.#blobOf(row.record, digest));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Looks at the versions that nobody has looked at, and notes what they have. */
  async #byLooking(modelId: string, digest: Digest): Promise<OciBlob | undefined> {
    const { index, own } = this.#services.database;
    const known = await own
      .selectFrom('oci_version_contents')
      .select('number')
      .distinct()
      .where('model_id', '=', modelId)
      .execute();
    const looked = new Set(known.map(({ number }) => Number(number)));
    const versions = await index
      .selectFrom('versions')
      .select(['number', 'files_known'])
      .where('model_id', '=', modelId)
      .where('status', '<>', 'deleted')
      .orderBy('number', 'desc')
      .execute();
    // Files of those that are not filled in yet are not in the index.
    const unknown = versions.filter(({ number, files_known }) => files_known === 0 || !looked.has(Number(number)));
    for (let n = 0; n < unknown.length; n += LOOKED_AT_ONCE) {
      const numbers = unknown.slice(n, n + LOOKED_AT_ONCE).map(({ number }) => number);
      const rows = await index
        .selectFrom('versions')
        .select('record')
        .where('model_id', '=', modelId)
        .where('number', 'in', numbers)
        .orderBy('number', 'desc')
        .execute();
      for (const { record } of rows) {
        const found = await this.#blobOf(record, digest);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  async #blobOf(text: string, digest: Digest): Promise<OciBlob | undefined> {
    const record = recordIn(text);
    const { modelId, number } = record;
    try {
      const { blobs, made } = await this.#packages.open(record);
      await this.#services.database.own
        .insertInto('oci_version_contents')
        .values(made.map((each) => ({ model_id: modelId, number, digest: each })))
        .onConflict((conflict) => conflict.columns(['model_id', 'digest', 'number']).doNothing())
        .execute();
      return blobs.get(digest);
    } catch (error) {
      // One version that is damaged must not hide the others.
      if (isIngotError(error, 'content-not-found', 'integrity', 'invalid-package')) return undefined;
      throw error;
    }
  }
}

type StoredRecord = Pick<VersionRecord, 'modelId' | 'number' | 'manifest' | 'recipe'>;

function recordIn(text: string): StoredRecord {
  return JSON.parse(text);
}
