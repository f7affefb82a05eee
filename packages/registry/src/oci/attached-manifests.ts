import { digestOf as contentDigestOf } from '@ingot/core/digest';
import { asOciDigest, ociDigestOf, parseOciDigest, splitDigest } from '@ingot/core/oci/digest';
import type { Descriptor, OciDigest } from '@ingot/core/oci/oci-place';
import type { ModelName } from '@ingot/core/ref';
import type { AttachedManifest, Attachment, AttachmentWriter } from '@ingot/core/registry/attachments';
import type { ResolvedVersion } from '@ingot/core/registry/registry';
import { storeAttachment } from '@ingot/core/store-attachment';
import type { Services } from '../services.ts';
import { type Attachments, digestOf } from './attachments.ts';
import type { KeptManifest, ManifestRows } from './manifest-rows.ts';
import type { Writer } from './manifests.ts';
import type { ModelVersions } from './model-versions.ts';
import type { OciBlob } from './oci-blobs.ts';
import { kindOfReferrer, mayBeAbsent, namedBy, type PushedManifest, readManifest } from './read-manifest.ts';
import { modelOf, type RepositoryName } from './repository.ts';

/** What attaching works with. */
export interface AttachedManifestsOptions {
  readonly attachments: Attachments;
  readonly writer: AttachmentWriter;
  readonly rows: ManifestRows;
  readonly versions: ModelVersions;
  /** Finds a blob of a repository, with the recipe that has it where there is one. */
  blob(repository: RepositoryName, digest: OciDigest): Promise<OciBlob | undefined>;
  /** Finds a content of the versions of a model. */
  content(repository: RepositoryName, digest: OciDigest): Promise<OciBlob | undefined>;
}

/** A manifest that may refer to a version. */
export interface Referring {
  readonly repository: RepositoryName;
  readonly manifest: PushedManifest;
  readonly digest: OciDigest | undefined;
  readonly tags: readonly string[];
}

/** What a manifest refers to. */
interface Subject {
  readonly version: ResolvedVersion;
  /** As the manifest calls it. */
  readonly refers: OciDigest;
}

/** How signing tools name what has no subject of its own: `sha256-….sig` is the signature of `sha256:…`. */
const TAG_OF_SUBJECT = /^sha256-([0-9a-f]{64})\.(?:sig|att|sbom)$/;

/** What an event says of an attachment at most; what says more of itself is kept by the server alone. */
const MOST_SAID = 256 * 1024;

/** Attaches manifests that refer to versions: they stand in the model's log, and their contents in the store. */
export class AttachedManifests {
  readonly #services: Pick<Services, 'registry' | 'store'>;
  readonly #options: AttachedManifestsOptions;

  constructor(services: Pick<Services, 'registry' | 'store'>, options: AttachedManifestsOptions) {
    this.#services = services;
    this.#options = options;
  }

  /** Attaches what refers to a version of the model; undefined: it refers to none, or its like is not attached. */
  async take(referring: Referring, writer: Writer): Promise<Omit<KeptManifest, 'repository'> | undefined> {
    const { repository, manifest, digest, tags } = referring;
    const name = modelOf(repository);
    if (name === undefined || manifest.kind !== 'manifest') return undefined;
    const refers = manifest.subject?.digest ?? tags.flatMap((tag) => subjectOfTag(tag) ?? []).at(0);
    const subject = refers === undefined ? undefined : await this.#subject(repository, refers);
    if (subject === undefined) return undefined;
    const said = saidOf(manifest, { ...subject, digest });
    if (JSON.stringify([said, namedBy(manifest)]).length > MOST_SAID) return undefined;
    writer.check('push');
    if (subject.refers !== subject.version.manifest) await this.#keepPushed(repository, name, subject, writer);
    await this.#attach({ repository, name, said, manifest, tags }, writer);
    // Where the server itself kept it, or something else of that name.
    const kept = await this.#options.rows.byDigest(repository, ociDigestOf(manifest.bytes));
    if (kept !== undefined && kept.version === undefined) await this.#options.rows.remove(repository, kept);
    for (const tag of tags) await this.#options.rows.untag(repository, tag);
    const { bytes, mediaType } = manifest;
    return { bytes, mediaType, digest: digestOf(said), sha256: ociDigestOf(bytes) };
  }

  /** Attaches what was pushed before the version that it refers to. */
  async adopt(repository: RepositoryName, subjects: readonly OciDigest[], writer: Writer): Promise<void> {
    const { rows } = this.#options;
    for (const subject of new Set(subjects))
      for (const { digest } of await rows.referrers(repository, subject)) {
        const kept = await rows.byDigest(repository, digest);
        if (kept === undefined) continue;
        const tags = await rows.tagsOf(repository, kept);
        await this.take({ repository, manifest: manifestOf(kept), digest, tags }, writer);
      }
  }

  /**
   * Takes an attachment away; false: there is none of this digest.
   * @throws IngotError `refused` under a hold.
   */
  async remove(repository: RepositoryName, digest: OciDigest, writer: Writer): Promise<boolean> {
    const name = modelOf(repository);
    const found = (await this.#options.attachments.of(repository)).byDigest.get(digest);
    if (name === undefined || found === undefined || found.isVersion === true) return false;
    await this.#detach(name, found, {}, writer);
    return true;
  }

  /** Takes a tag from an attachment; one that nothing but the tag attached goes with it. False: none has it. */
  async untag(repository: RepositoryName, tag: string, writer: Writer): Promise<boolean> {
    const name = modelOf(repository);
    const found = (await this.#options.attachments.of(repository)).byTag.get(tag);
    if (name === undefined || found === undefined) return false;
    await this.#detach(name, found, { tag }, writer);
    return true;
  }

  async #detach(
    name: ModelName,
    { subject, manifest }: Attachment,
    what: { readonly tag?: string },
    { actor, signal }: Writer,
  ): Promise<void> {
    await this.#options.writer.detach(name, subject, { manifest, ...what }, { actor, ...(signal && { signal }) });
  }

  /** A version by any digest that it has, or that something attached to it has. */
  async #subject(repository: RepositoryName, refers: OciDigest): Promise<Subject | undefined> {
    const { versions, attachments } = this.#options;
    const version = await versions.withDigest(repository, refers);
    if (version !== undefined) return { version, refers };
    const other = (await attachments.of(repository)).byDigest.get(refers);
    const its = other && (await versions.withDigest(repository, asOciDigest(other.subject)));
    return its && { version: its, refers };
  }

  /** What a version was pushed as is kept in the log once something refers to that. */
  async #keepPushed(
    repository: RepositoryName,
    name: ModelName,
    { version, refers }: Subject,
    writer: Writer,
  ): Promise<void> {
    const { rows, attachments, content } = this.#options;
    if ((await attachments.of(repository)).byDigest.has(refers)) return;
    const kept = await rows.ofModel(version.modelId, refers);
    if (kept === undefined) return;
    const manifest = manifestOf(kept);
    const { refers: _, byTag: __, ...facts } = saidOf(manifest, { version, refers, digest: refers });
    const said = { ...facts, isVersion: true } as const;
    const isElsewhere = async ({ digest }: Descriptor) => (await content(repository, digest)) !== undefined;
    await this.#attach({ repository, name, said, manifest, tags: [], isElsewhere }, writer);
  }

  async #attach(attaching: Attaching, { actor, signal }: Writer): Promise<void> {
    const { attachments, writer } = this.#options;
    const { repository, name, said } = attaching;
    const options = { actor, ...(signal && { signal }) };
    const before = (await attachments.of(repository)).byDigest.get(said.manifest);
    const isThere = before !== undefined && before.refers === said.refers && before.called === said.called;
    const [first, ...others] = attaching.tags.filter((tag) => before?.tags.includes(tag) !== true);
    if (!isThere) await this.#store({ ...attaching, said: tagged(said, first) }, options);
    for (const tag of isThere && first !== undefined ? [first, ...others] : others) {
      const now = (await attachments.of(repository)).byDigest.get(said.manifest);
      if (now === undefined) continue;
      const { blobs, recipe } = now;
      await writer.attach(name, { ...tagged(said, tag), blobs, recipe }, options);
    }
  }

  async #store(
    { repository, name, said, manifest, isElsewhere }: Attaching,
    options: { readonly actor: string; readonly signal?: AbortSignal },
  ): Promise<void> {
    const { registry, store } = this.#services;
    const found: { readonly digest: OciDigest; readonly blob: OciBlob }[] = [];
    for (const descriptor of new Map(namedBy(manifest).map((each) => [each.digest, each])).values()) {
      if (mayBeAbsent(descriptor) || (await isElsewhere?.(descriptor)) === true) continue;
      const blob = await this.#options.blob(repository, descriptor.digest);
      if (blob !== undefined) found.push({ digest: descriptor.digest, blob });
    }
    const blobs = found.map(({ digest, blob: { content, sizeBytes, read } }) => ({
      digest,
      content,
      sizeBytes,
      open: () => read(),
    }));
    const base = new Map(found.flatMap(({ blob: { recipe } }) => (recipe ? [[recipe.digest, recipe] as const] : [])));
    await storeAttachment(
      name,
      { said, bytes: manifest.bytes, blobs, base: [...base.values()] },
      { registry: { ensureModel: registry.ensureModel, ...this.#options.writer }, contents: store.contents },
      options,
    );
  }
}

/** What the event says before the contents are stored. */
type Said = Omit<AttachedManifest, 'blobs' | 'recipe'>;

interface Attaching {
  readonly repository: RepositoryName;
  readonly name: ModelName;
  readonly said: Said;
  readonly manifest: PushedManifest;
  readonly tags: readonly string[];
  /** Whether a blob need not be kept with it. Default: none is elsewhere. */
  readonly isElsewhere?: (blob: Descriptor) => Promise<boolean>;
}

function saidOf(
  manifest: PushedManifest,
  { version, refers, digest }: Subject & { readonly digest: OciDigest | undefined },
): Said {
  const { bytes, mediaType, subject, annotations } = manifest;
  const artifactType = kindOfReferrer(manifest);
  return {
    subject: version.manifest,
    manifest: contentDigestOf(bytes),
    ...(refers !== version.manifest && { refers }),
    ...(digest !== undefined && splitDigest(digest).algorithm === 'sha512' && { called: digest }),
    ...(subject === undefined && { byTag: true }),
    mediaType,
    sizeBytes: bytes.byteLength,
    ...(artifactType !== undefined && { artifactType }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

function tagged(said: Said, tag: string | undefined): Said {
  return tag === undefined ? said : { ...said, tag };
}

function subjectOfTag(tag: string): OciDigest | undefined {
  const hex = TAG_OF_SUBJECT.exec(tag)?.[1];
  return hex === undefined ? undefined : parseOciDigest(`sha256:${hex}`);
}

/** Reads a manifest that was taken before. */
function manifestOf({ bytes, mediaType }: Pick<KeptManifest, 'bytes' | 'mediaType'>): PushedManifest {
  return readManifest(bytes, JSON.parse(Buffer.from(bytes).toString()), mediaType, bytes.byteLength);
}
