import { collect } from '@ingot/core/blob/bytes';
import { isIngotError } from '@ingot/core/errors';
import { ociDigestOf } from '@ingot/core/oci/digest';
import type { Descriptor, OciDigest } from '@ingot/core/oci/oci-place';
import { type ModelName, parseAlias, parseLabel } from '@ingot/core/ref';
import type { PublishOptions, ResolvedVersion, VersionDraft, VersionRecord } from '@ingot/core/registry/registry';
import type { Permission } from '../access/identity.ts';
import type { Services } from '../services.ts';
import { requestedDigest } from './blob-context.ts';
import type { KeptManifest, ManifestRows } from './manifest-rows.ts';
import type { ModelArtifact } from './model-artifact.ts';
import { storeModel } from './model-package.ts';
import type { ModelVersions, TaggedVersion } from './model-versions.ts';
import type { OciBlob } from './oci-blobs.ts';
import { ociError } from './oci-error.ts';
import { MAX_CONFIG_BYTES, type PublishedWords, publishedWords } from './published-words.ts';
import type { PushedManifest } from './read-manifest.ts';
import type { RepositoryName } from './repository.ts';

/** A manifest that is to become a version, or is one. */
export interface ModelPush {
  readonly repository: RepositoryName;
  readonly name: ModelName;
  readonly artifact: ModelArtifact;
  readonly manifest: PushedManifest;
  /** What the client calls it, where it does. */
  readonly digest: OciDigest | undefined;
  readonly tags: readonly string[];
  readonly actor: string;
  readonly signal?: AbortSignal;
  /** Refuses what whoever pushes may not. */
  check(permission: Permission, alias?: string): void;
}

/** What a tag asks for. */
type Meaning =
  | { readonly kind: 'number'; readonly number: number; readonly held: ResolvedVersion | undefined }
  | { readonly kind: 'label'; readonly label: string; readonly held: ResolvedVersion | undefined }
  | { readonly kind: 'alias'; readonly alias: string; readonly held: ResolvedVersion | undefined }
  | { readonly kind: 'latest'; readonly held: ResolvedVersion | undefined };

/** What pushed models work with. */
export interface PushedModelsOptions {
  readonly rows: ManifestRows;
  readonly versions: ModelVersions;
  /** Folder for what only passes through. */
  readonly scratch: string;
  /** Finds a blob of a repository. */
  blob(repository: RepositoryName, digest: OciDigest): Promise<OciBlob | undefined>;
}

/** What looks like a version text of its author's: `1.2.0`, `v3`, `2026-11-22`. */
const LABEL_LIKE = /^v?\d/i;

/** Makes versions of manifests that are models. Their tags are numbers, labels and aliases of the model. */
export class PushedModels {
  readonly #services: Pick<Services, 'registry' | 'store'>;
  readonly #options: PushedModelsOptions;

  constructor(services: Pick<Services, 'registry' | 'store'>, options: PushedModelsOptions) {
    this.#services = services;
    this.#options = options;
  }

  /**
   * Publishes a version of a pushed manifest, or finds the one that it is, and lets its tags name it. A number makes
   * a version of that number; a text that begins like a version (`1.2.0`) becomes its label, any other an alias.
   * @throws IngotError DENIED (409) for a number or label that another version has; TAG_INVALID; as publishing and
   * moving aliases do.
   */
  async push(push: ModelPush): Promise<KeptManifest> {
    const meanings = await Promise.all(push.tags.map((tag) => this.#meaningOf(push.repository, tag)));
    const known = await this.#options.versions.withDigest(push.repository, ociDigestOf(push.manifest.bytes));
    const asAliases = known === undefined ? meanings : meanings.map((meaning) => freeLabelAsAlias(meaning, known));
    for (const meaning of asAliases)
      if (meaning.kind === 'alias') push.check(isPushersOwn(meaning, known) ? 'push' : 'promote', meaning.alias);
    // Also what changes nothing is a push: whoever only reads learns that it is none of theirs.
    if (!asAliases.some(({ kind }) => kind === 'alias')) push.check('push');
    const isThere = known !== undefined && asAliases.every((meaning) => isMet(meaning, known));
    const version = isThere ? known : await this.#published(push, asAliases);
    if (isThere) await this.#moveAliases(push, asAliases, known.number);
    const { repository, manifest, digest, actor: by } = push;
    const { modelId, number } = version;
    return await this.#options.rows.put({
      repository,
      manifest,
      digest,
      version: { modelId, number },
      tags: [],
      by,
    });
  }

  async #meaningOf(repository: RepositoryName, tag: string): Promise<Meaning> {
    const tagged = await this.#options.versions.tagged(repository, tag);
    if ((await this.#options.rows.byTag(repository, tag)) !== undefined)
      throw ociError('DENIED', `${repository}:${tag} names something that is no model`, {
        status: 409,
        hint: 'delete that tag first, or choose another',
      });
    return meaningOf(tag, tagged);
  }

  async #moveAliases({ name, actor }: ModelPush, meanings: readonly Meaning[], number: number): Promise<void> {
    for (const meaning of meanings)
      if (meaning.kind === 'alias') await this.#services.registry.setAlias(name, meaning.alias, number, { actor });
  }

  async #published(push: ModelPush, meanings: readonly Meaning[]): Promise<{ modelId: string; number: number }> {
    push.check('push');
    const { registry } = this.#services;
    const { name, actor, signal } = push;
    const { upload, stored } = await this.#stored(push);
    await using _ = upload;
    const same = await this.#sameAsHeld(push, meanings, stored.manifest);
    if (same !== undefined) {
      await this.#moveAliases(push, meanings, same.number);
      return same;
    }
    const sealed = await upload.seal({ ...(signal && { signal }) });
    const { id: modelId } = await registry.ensureModel(name, { actor });
    const words = await this.#wordsOf(push);
    const own = { ...words, ...stored, recipe: sealed.recipe, upload: upload.id, modelId };
    const { draft, options } = publication(meanings, own);
    try {
      const { version } = await registry.publish(name, draft, { ...options, actor });
      await upload.release();
      return version;
    } catch (error) {
      if (!isIngotError(error, 'label-taken', 'conflict')) throw error;
      return await this.#publishedMeanwhile(push, stored.manifest, error);
    }
  }

  /** What the publisher says of the artifact; what its files say counts more. */
  async #wordsOf({ repository, manifest }: ModelPush): Promise<PublishedWords> {
    const { config } = manifest;
    const isRead = config !== undefined && config.size <= MAX_CONFIG_BYTES && config.mediaType.endsWith('+json');
    const blob = isRead ? await this.#options.blob(repository, config.digest) : undefined;
    return publishedWords(manifest, blob && (await collect(blob.read())));
  }

  /** The version that the same push, sent twice at once, has made under its number or label. Throws DENIED, and what failed. */
  async #publishedMeanwhile(
    push: ModelPush,
    manifest: VersionRecord['manifest'],
    error: unknown,
  ): Promise<{ modelId: string; number: number }> {
    const meanings = await Promise.all(push.tags.map((tag) => this.#meaningOf(push.repository, tag)));
    const same = await this.#sameAsHeld(push, meanings, manifest);
    if (same === undefined) throw error;
    await this.#moveAliases(push, meanings, same.number);
    return same;
  }

  async #stored({ name, repository, artifact, actor, signal }: ModelPush) {
    const { registry, store } = this.#services;
    const { scratch, blob } = this.#options;
    let made: { readonly id: string } | undefined;
    // A model is made only when there is a version to come.
    const modelId = async (): Promise<string> => {
      made ??= await registry.ensureModel(name, { actor });
      return made.id;
    };
    return await storeModel(artifact, {
      name,
      scratch,
      ...(signal && { signal }),
      blob: async (descriptor) => (await blob(repository, descriptor.digest)) ?? missing(descriptor),
      openUpload: async (base) => {
        const newest = await this.#newestRecipes(name);
        return await store.contents.openUpload({ modelId, base: [...base, ...newest], ...(signal && { signal }) });
      },
    });
  }

  async #newestRecipes(name: ModelName) {
    try {
      return [(await this.#services.registry.version({ name, selector: { kind: 'latest' } })).recipe];
    } catch (error) {
      if (isIngotError(error, 'model-not-found', 'version-not-found')) return [];
      throw error;
    }
  }

  /**
   * The version that has the number or label already, when it has the same files: a push that was cut off before its
   * manifest was noted. Throws DENIED when it has others.
   */
  async #sameAsHeld(
    { name }: ModelPush,
    meanings: readonly Meaning[],
    manifest: VersionRecord['manifest'],
  ): Promise<ResolvedVersion | undefined> {
    for (const meaning of meanings) {
      if (meaning.kind !== 'number' && meaning.kind !== 'label') continue;
      const { held } = meaning;
      if (held === undefined) continue;
      if (held.manifest === manifest) return held;
      const what = meaning.kind === 'number' ? `version ${meaning.number}` : `the label "${meaning.label}"`;
      throw ociError('DENIED', `${what} of ${name} is there already, with other contents`, {
        status: 409,
        hint: 'push it under the next number, another label, or an alias',
        detail: { model: name, version: held.number, manifest: held.manifest },
      });
    }
    return undefined;
  }
}

function meaningOf(tag: string, tagged: TaggedVersion | undefined): Meaning {
  const held = tagged?.version;
  if (tag === 'latest') return { kind: 'latest', held };
  if (/^\d+$/.test(tag)) return { kind: 'number', number: numberIn(tag), held };
  if (tagged?.kind === 'alias') return { kind: 'alias', alias: tag, held };
  try {
    if (LABEL_LIKE.test(tag) || tagged?.kind === 'label') return { kind: 'label', label: parseLabel(tag), held };
    return { kind: 'alias', alias: parseAlias(tag), held };
  } catch (error) {
    if (isIngotError(error, 'invalid-name')) throw ociError('TAG_INVALID', error.message, { cause: error });
    throw error;
  }
}

function numberIn(tag: string): number {
  const number = Number(tag);
  if (Number.isSafeInteger(number) && number > 0 && String(number) === tag) return number;
  throw ociError('TAG_INVALID', `"${tag.slice(0, 40)}" is no version number: versions count from 1`);
}

/** A version that is there gets no label any more: another name for it is an alias. */
function freeLabelAsAlias(meaning: Meaning, known: ResolvedVersion): Meaning {
  if (meaning.kind !== 'label') return meaning;
  const { held, label } = meaning;
  if (held !== undefined && held.number !== known.number)
    throw ociError('DENIED', `version ${held.number} of ${known.model} has the label "${label}" already`, {
      status: 409,
    });
  return held === undefined ? meaningAsAlias(label) : meaning;
}

function meaningAsAlias(label: string): Meaning {
  try {
    return { kind: 'alias', alias: parseAlias(label), held: undefined };
  } catch (error) {
    if (isIngotError(error, 'invalid-name')) throw ociError('TAG_INVALID', error.message, { cause: error });
    throw error;
  }
}

/**
 * Whether an alias is no more than a text like a version for what is pushed, which it moves from nowhere: clients push a
 * manifest by its digest first, and then there is a version that can get no label any more.
 */
function isPushersOwn(
  { alias, held }: Meaning & { readonly kind: 'alias' },
  known: ResolvedVersion | undefined,
): boolean {
  return known !== undefined && LABEL_LIKE.test(alias) && (held === undefined || held.number === known.number);
}

/** Whether a tag names a version, or can without another one being published. */
function isMet(meaning: Meaning, known: ResolvedVersion): boolean {
  return meaning.kind === 'alias' || meaning.held?.number === known.number;
}

/** What is published. A label or number that nobody has makes a version also of files that the newest one has. */
function publication(
  meanings: readonly Meaning[],
  stored: VersionDraft,
): { readonly draft: VersionDraft; readonly options: PublishOptions } {
  const labels = meanings.flatMap((meaning) => (meaning.kind === 'label' ? meaning.label : []));
  const numbers = meanings.flatMap((meaning) => (meaning.kind === 'number' ? meaning.number : []));
  if (labels.length > 1 || numbers.length > 1)
    throw ociError('TAG_INVALID', 'one push makes one version: give one number and one label at most');
  const [[label], [number]] = [labels, numbers];
  const aliases = meanings.flatMap((meaning) => (meaning.kind === 'alias' ? meaning.alias : []));
  return {
    draft: label === undefined ? stored : { ...stored, label, labelFrom: 'flag' },
    options: {
      ...(aliases.length > 0 && { aliases }),
      ...(number !== undefined && { number }),
      ...(label !== undefined && { always: true }),
    },
  };
}

function missing({ digest }: Descriptor): never {
  throw ociError('MANIFEST_BLOB_UNKNOWN', `the repository has no blob ${digest}`, { detail: { digest } });
}

/** Reads the digest of an address; undefined: it is a tag. Throws DIGEST_INVALID. */
export function digestIn(reference: string): OciDigest | undefined {
  return reference.includes(':') ? requestedDigest(reference) : undefined;
}
