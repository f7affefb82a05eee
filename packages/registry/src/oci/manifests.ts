/**
 * *Manifests* of a repository: versions of the model that is called like it, and whatever else was pushed there. A *tag*
 * of a version is what resolves to it; any other is kept with what it names.
 */

import { ociDigestOf, splitDigest } from '@ingot/core/oci/digest';
import type { Descriptor, OciDigest } from '@ingot/core/oci/oci-place';
import type { Permission } from '../access/identity.ts';
import type { Services } from '../services.ts';
import type { AttachedManifests, Referring } from './attached-manifests.ts';
import type { Attachments } from './attachments.ts';
import type { KeptManifest, ManifestRows, Referrer } from './manifest-rows.ts';
import { modelArtifactOf } from './model-artifact.ts';
import { isTag, type ModelVersions, type TaggedVersion } from './model-versions.ts';
import type { OciBlob } from './oci-blobs.ts';
import { ociError } from './oci-error.ts';
import type { PushedModels } from './pushed-models.ts';
import { neededBy, type PushedManifest } from './read-manifest.ts';
import { modelOf, type RepositoryName } from './repository.ts';

/** A manifest as it is read. */
export type ShownManifest = Omit<KeptManifest, 'repository'>;

/** Who writes, and what they may. */
export interface Writer {
  readonly actor: string;
  readonly signal?: AbortSignal;
  check(permission: Permission, alias?: string): void;
}

/** What manifests work with. */
export interface ManifestsOptions {
  readonly rows: ManifestRows;
  readonly versions: ModelVersions;
  readonly models: PushedModels;
  readonly attachments: Attachments;
  readonly attached: AttachedManifests;
  /** Finds what a repository shows under a digest. */
  blob(repository: RepositoryName, digest: OciDigest): Promise<OciBlob | undefined>;
  /** Whether indexes are taken whose manifests are not all there. Default: false. */
  readonly sparseIndexes?: boolean | undefined;
}

const LOOKED_UP_AT_ONCE = 16;

/** Reads, takes and deletes manifests. */
export class Manifests {
  readonly #services: Pick<Services, 'registry'>;
  readonly #options: ManifestsOptions;

  constructor(services: Pick<Services, 'registry'>, options: ManifestsOptions) {
    this.#services = services;
    this.#options = options;
  }

  /** Finds a manifest by tag or digest. Throws MANIFEST_UNKNOWN. */
  async read(repository: RepositoryName, reference: { tag: string } | { digest: OciDigest }): Promise<ShownManifest> {
    const found =
      'tag' in reference
        ? await this.#byTag(repository, reference.tag)
        : await this.#byDigest(repository, reference.digest);
    if (found !== undefined) return found;
    throw unknown(repository, 'tag' in reference ? reference.tag : reference.digest);
  }

  /**
   * Takes a manifest: what is a model becomes a version, whatever else is kept as it is.
   * @throws IngotError MANIFEST_INVALID, DIGEST_INVALID, TAG_INVALID, MANIFEST_BLOB_UNKNOWN, DENIED.
   */
  async take(
    repository: RepositoryName,
    manifest: PushedManifest,
    { digest, tags }: { readonly digest: OciDigest | undefined; readonly tags: readonly string[] },
    writer: Writer,
  ): Promise<ShownManifest> {
    for (const tag of tags) if (!isTag(tag)) throw ociError('TAG_INVALID', `"${tag.slice(0, 140)}" can be no tag`);
    checkDigest(manifest.bytes, digest);
    const name = modelOf(repository);
    const artifact = modelArtifactOf(manifest);
    if (name === undefined || artifact === undefined) {
      writer.check('push');
      await this.#checkContents(repository, manifest);
      for (const tag of tags) await this.#refuseTagOfModel(repository, tag);
      return await this.#keep({ repository, manifest, digest, tags }, writer);
    }
    await this.#checkContents(repository, manifest);
    const pushed = await this.#options.models.push({ repository, name, artifact, manifest, digest, tags, ...writer });
    await this.#options.attached.adopt(repository, [pushed.sha256, pushed.digest], writer);
    return pushed;
  }

  /** What refers to a version stands in the model's log; all else is the server's own. */
  async #keep(referring: Referring, writer: Writer): Promise<ShownManifest> {
    const { attached, rows } = this.#options;
    const taken = await attached.take(referring, writer);
    if (taken !== undefined) return taken;
    const { repository, tags } = referring;
    for (const tag of tags) await attached.untag(repository, tag, writer);
    return await rows.put({ ...referring, by: writer.actor });
  }

  /**
   * Removes a tag alone. Of a model: an alias is taken away, a number deletes its version.
   * @throws IngotError MANIFEST_UNKNOWN, UNSUPPORTED for what a version cannot lose, and as the registry does.
   */
  async removeTag(repository: RepositoryName, tag: string, writer: Writer): Promise<void> {
    const tagged = await this.#options.versions.tagged(repository, tag);
    if (tagged !== undefined) return await this.#removeModelTag(repository, tag, tagged, writer);
    writer.check('push');
    const { attached, rows } = this.#options;
    const untagged = [await attached.untag(repository, tag, writer), await rows.untag(repository, tag)];
    if (!untagged.includes(true)) throw unknown(repository, tag);
  }

  /**
   * Removes a manifest with its tags; of a version, the version.
   * @throws IngotError MANIFEST_UNKNOWN, DENIED (409) while an alias names the version, and as the registry does.
   */
  async remove(repository: RepositoryName, digest: OciDigest, writer: Writer): Promise<void> {
    writer.check('admin');
    const { rows, versions, attached } = this.#options;
    const kept = await rows.byDigest(repository, digest);
    const isOwn = kept !== undefined && kept.version === undefined && (await rows.remove(repository, kept));
    if ((await attached.remove(repository, digest, writer)) || isOwn) return;
    const version = await versions.withDigest(repository, digest);
    const name = modelOf(repository);
    if (version === undefined || name === undefined) throw unknown(repository, digest);
    const { modelId, number } = version;
    await this.#services.registry.deleteVersion(
      { name, selector: { kind: 'version', number } },
      { actor: writer.actor },
    );
    await this.#forgetVersion(modelId, number);
  }

  /** All tags of a repository, sorted. Throws NAME_UNKNOWN. */
  async tags(repository: RepositoryName): Promise<readonly string[]> {
    const { rows, versions, attachments } = this.#options;
    const [ofModel, others] = await Promise.all([versions.tags(repository), rows.tags(repository)]);
    const attached = (await attachments.of(repository)).byTag.keys();
    if (ofModel === undefined && others.length === 0 && !(await rows.has(repository)))
      throw ociError('NAME_UNKNOWN', `there is no repository "${repository}"`);
    return [...new Set([...(ofModel ?? []), ...attached, ...others])].sort(byCodeUnits);
  }

  /** What says something about a manifest, by digest; none where nobody knows that manifest. */
  async referrers(repository: RepositoryName, digest: OciDigest): Promise<readonly Referrer[]> {
    const { rows, attachments } = this.#options;
    const [attached, kept] = [
      await attachments.referrers(repository, digest),
      await rows.referrers(repository, digest),
    ];
    const all = new Map([...kept, ...attached].map((referrer) => [referrer.digest, referrer]));
    return [...all.values()].sort((a, b) => byCodeUnits(a.digest, b.digest));
  }

  async #byTag(repository: RepositoryName, tag: string): Promise<ShownManifest | undefined> {
    const { rows, versions, attachments } = this.#options;
    const tagged = await versions.tagged(repository, tag);
    if (tagged !== undefined) return await versions.manifestOf(tagged.version);
    const attached = (await attachments.of(repository)).byTag.get(tag);
    return attached === undefined ? await rows.byTag(repository, tag) : await attachments.read(attached);
  }

  async #byDigest(repository: RepositoryName, digest: OciDigest): Promise<ShownManifest | undefined> {
    const kept = await this.#options.rows.byDigest(repository, digest);
    // What became of a model is there as long as its version is.
    if (kept !== undefined && kept.version === undefined) return kept;
    const { versions, attachments } = this.#options;
    const attached = (await attachments.of(repository)).byDigest.get(digest);
    return attached !== undefined && attached.isVersion !== true
      ? await attachments.read(attached, digest)
      : await versions.byDigest(repository, digest);
  }

  async #removeModelTag(
    repository: RepositoryName,
    tag: string,
    { name, kind, version }: TaggedVersion,
    writer: Writer,
  ): Promise<void> {
    const { actor } = writer;
    const { registry } = this.#services;
    if (kind === 'alias') {
      writer.check('promote', tag);
      await registry.removeAlias(name, tag, { actor });
    } else if (kind === 'version') {
      writer.check('admin');
      const { modelId, number } = version;
      await registry.deleteVersion({ name, selector: { kind: 'version', number } }, { actor });
      await this.#forgetVersion(modelId, number);
    } else {
      writer.check('push');
      throw ociError('UNSUPPORTED', `${repository}:${tag} belongs to version ${version.number} and stays with it`, {
        hint: `delete the version: ${repository}:${version.number}`,
      });
    }
  }

  async #forgetVersion(modelId: string, number: number): Promise<void> {
    const { rows } = this.#options;
    for (;;) {
      const pushed = await rows.ofVersion(modelId, number);
      if (pushed === undefined) return;
      await rows.remove(pushed.repository, pushed);
    }
  }

  async #refuseTagOfModel(repository: RepositoryName, tag: string): Promise<void> {
    // A number that no version has yet is one that a version may get.
    const isNumber = /^\d+$/.test(tag);
    const { versions } = this.#options;
    const tagged =
      (await versions.tagged(repository, tag)) ?? (isNumber && (await versions.tagged(repository, 'latest')));
    if (!tagged) return;
    const { name: model, version } = tagged;
    const why = isNumber ? 'is no tag of an image: numbers are versions of' : `names version ${version.number} of`;
    throw ociError('DENIED', `${repository}:${tag} ${why} the model ${model}`, {
      status: 409,
      hint: 'choose another tag, or another repository',
      detail: { model, version: version.number },
    });
  }

  /** Refuses a manifest whose contents are not in the repository, or are not what it says. */
  async #checkContents(repository: RepositoryName, manifest: PushedManifest): Promise<void> {
    const needed = neededBy(manifest);
    const sizeOfBlob = async ({ digest }: Descriptor) =>
      (await this.#options.blob(repository, digest))?.sizeBytes ??
      (await this.#byDigest(repository, digest))?.bytes.byteLength;
    const sizeOfManifest = async ({ digest }: Descriptor) =>
      (await this.#byDigest(repository, digest))?.bytes.byteLength;
    const { sparseIndexes = false } = this.#options;
    await this.#checkAll(needed.blobs, { sizeOf: sizeOfBlob, what: 'blob', isOptional: false });
    await this.#checkAll(needed.manifests, { sizeOf: sizeOfManifest, what: 'manifest', isOptional: sparseIndexes });
  }

  async #checkAll(
    descriptors: readonly Descriptor[],
    {
      sizeOf,
      what,
      isOptional,
    }: {
      readonly sizeOf: (descriptor: Descriptor) => Promise<number | undefined>;
      readonly what: string;
      readonly isOptional: boolean;
    },
  ): Promise<void> {
    for (let n = 0; n < descriptors.length; n += LOOKED_UP_AT_ONCE)
      await Promise.all(
        descriptors.slice(n, n + LOOKED_UP_AT_ONCE).map(async (descriptor) => {
          const { digest, size } = descriptor;
          const found = await sizeOf(descriptor);
          if (found === size || (found === undefined && isOptional)) return;
          if (found === undefined)
            throw ociError('MANIFEST_BLOB_UNKNOWN', `the repository has no ${what} ${digest}`, { detail: { digest } });
          throw ociError('MANIFEST_INVALID', `${digest} has ${found} bytes and not the ${size} it is said to have`);
        }),
      );
  }
}

function checkDigest(bytes: Uint8Array, digest: OciDigest | undefined): void {
  if (digest === undefined) return;
  const found = ociDigestOf(bytes, splitDigest(digest).algorithm);
  if (found === digest) return;
  throw ociError('DIGEST_INVALID', `the manifest was called ${digest}, and has the digest ${found}`, {
    detail: { named: digest, found },
  });
}

/** Orders texts as their bytes are, whatever the database does. */
export function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function unknown(repository: string, reference: string) {
  return ociError('MANIFEST_UNKNOWN', `${repository} has no manifest "${reference.slice(0, 160)}"`, {
    detail: { name: repository, reference: reference.slice(0, 160) },
  });
}
