/**
 * An *attachment* is a manifest that refers to a version: a signature, an SBOM, a report. What a model's log says of it
 * is enough to answer for it, and its contents lie in packs as those of versions do; so it goes where the log goes. It
 * belongs to a manifest of the model and stays as long as a version that has this manifest.
 */

import type { RecipeRef } from '../content/content-store.ts';
import type { Digest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { ModelName } from '../ref.ts';
import type { StoredEvent } from './events.ts';
import { compact, Fields } from './fields.ts';
import { appendTo, reasoned } from './log-writer.ts';
import type { ModelDirectory } from './model-directory.ts';
import { type ModelState, parseRecipeRef } from './model-fold.ts';
import type { RegistryOptions } from './registry.ts';

/** A blob that an attachment names. */
export interface AttachedBlob {
  /** As its manifest calls it: `sha256:…` or `sha512:…`. */
  readonly digest: string;
  /** Its SHA-256. */
  readonly content: Digest;
  readonly sizeBytes: number;
}

/** What an `attached` event says. */
export interface AttachedManifest {
  /** The package's own manifest that the versions have to which it belongs. */
  readonly subject: Digest;
  /** SHA-256 of the attached manifest. */
  readonly manifest: Digest;
  /** What it says to refer to, where that is not `subject`: a manifest that a version was pushed as, or another attachment. */
  readonly refers?: string;
  /** What it is called, where that is not its SHA-256. */
  readonly called?: string;
  /** It refers to nothing: it is what the version was pushed as. */
  readonly isVersion?: true;
  /** It says itself to refer to nothing; only its tag does, and without one it is not attached. */
  readonly byTag?: true;
  /** A name that it has from now on, and no other of the model. */
  readonly tag?: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly blobs: readonly AttachedBlob[];
  /** The contents: the manifest, and those blobs. */
  readonly recipe: RecipeRef;
}

/** An attachment that stands. */
export interface Attachment extends Omit<AttachedManifest, 'tag'> {
  readonly tags: readonly string[];
  /** Event that attached it last. */
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
}

/** What is to be attached: its contents are stored already. */
export interface AttachmentDraft extends AttachedManifest {
  /** The upload that stored them. Default: the one that the recipe's pack names. */
  readonly upload?: string;
}

/** Which attachment, or which name of it, is to go. */
export interface DetachedManifest {
  readonly manifest: Digest;
  /** Only this name of it. Default: the attachment with all its names. */
  readonly tag?: string;
}

type Reasoned = RegistryOptions & { readonly reason?: string };

/** Attaches manifests to versions, and takes them away. */
export interface AttachmentWriter {
  /**
   * Attaches a manifest.
   * @throws IngotError `version-not-found` when no version has its subject, `conflict` when its upload was given up.
   */
  attach(name: ModelName, draft: AttachmentDraft, options?: Reasoned): Promise<void>;
  /**
   * Takes an attachment away; its contents go when nothing else needs them.
   * @param subject the manifest that it belongs to.
   * @throws IngotError `refused` under a hold of the model or of a version that has the subject.
   */
  detach(name: ModelName, subject: Digest, detached: DetachedManifest, options?: Reasoned): Promise<void>;
}

/** Makes the writer of attachments of a registry. */
export function createAttachmentWriter(directory: ModelDirectory): AttachmentWriter {
  return {
    async attach(name, { upload, ...said }, options = {}) {
      const model = await directory.open(name, { ...options, toWrite: true });
      const decide = (state: ModelState) => {
        refuseStrange(name, state, said);
        refuseExpired(state, upload ?? said.recipe.pack.replace(/\/.*$/s, ''));
        return { kind: 'attached', body: reasoned(bodyOf(said), options.reason) };
      };
      await appendTo(directory, model, decide, options);
    },

    async detach(name, subject, detached, options = {}) {
      const model = await directory.open(name, { ...options, toWrite: true });
      const decide = (state: ModelState) => {
        refuseHeld(name, state, subject);
        // Releases that do not know it still show the attachment, and keep its contents.
        return {
          kind: 'detached',
          body: reasoned(compact({ subject, ...detached }), options.reason),
          ignorable: true as const,
        };
      };
      await appendTo(directory, model, decide, options);
    },
  };
}

function bodyOf({ recipe, blobs, annotations, ...said }: AttachedManifest): JsonObject {
  const { digest, pack, offset, length } = recipe;
  return compact({
    ...said,
    annotations: annotations === undefined || Object.keys(annotations).length === 0 ? undefined : { ...annotations },
    blobs: blobs.map(({ digest: called, content, sizeBytes }) => ({ digest: called, content, sizeBytes })),
    recipe: { digest, pack, offset, length },
  });
}

function refuseStrange(name: ModelName, { versions }: ModelState, { subject }: AttachedManifest): void {
  if (versions.some((entry) => entry?.manifest === subject && entry.status !== 'deleted')) return;
  throw new IngotError('version-not-found', `no version of "${name}" has the manifest ${subject}`, {
    details: { model: name, manifest: subject },
  });
}

function refuseExpired({ expiredUploads }: ModelState, upload: string): void {
  if (!expiredUploads.includes(upload)) return;
  throw new IngotError('conflict', 'this took so long that what it had stored was given up as abandoned', {
    hint: 'push again',
    details: { upload },
  });
}

function refuseHeld(name: ModelName, { holds, versions }: ModelState, subject: Digest): void {
  const hold = holds.find(({ number }) => number === null || versions[number - 1]?.manifest === subject);
  if (hold === undefined) return;
  throw new IngotError(
    'refused',
    `"${name}" is under the hold "${hold.hold}", which forbids to delete what is attached`,
    {
      hint: `ingot hold ls ${name}`,
      details: { hold: hold.hold, number: hold.number },
    },
  );
}

const OCI_DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Reads the body of an `attached` event; undefined where it does not say where the contents lie. Throws `integrity`. */
export function parseAttached(body: JsonObject, file: string): AttachedManifest | undefined {
  if (body.recipe === undefined) return undefined;
  const fields = new Fields(body, file);
  const digest = (key: string): string | undefined =>
    fields.raw(key) === undefined ? undefined : fields.matching(key, OCI_DIGEST, 'a digest');
  return compact({
    subject: fields.digest('subject'),
    manifest: fields.digest('manifest'),
    refers: digest('refers'),
    called: digest('called'),
    isVersion: fields.optionalBoolean('isVersion') || undefined,
    byTag: fields.optionalBoolean('byTag') || undefined,
    tag: fields.optionalText('tag'),
    mediaType: fields.text('mediaType'),
    sizeBytes: fields.count('sizeBytes'),
    artifactType: fields.optionalText('artifactType'),
    annotations: fields.optionalTextMap('annotations'),
    blobs: fields.objects('blobs').map((blob) => ({
      digest: blob.matching('digest', OCI_DIGEST, 'a digest'),
      content: blob.digest('content'),
      sizeBytes: blob.count('sizeBytes'),
    })),
    recipe: parseRecipeRef(fields.inner('recipe')),
  });
}

/** An event as far as attachments need it. */
export interface AttachingEvent {
  readonly head: Pick<StoredEvent['head'], 'seq' | 'at' | 'actor' | 'kind'>;
  readonly body: JsonObject | undefined;
}

/** Which attachments stand, by the events of a log in their order. Those of deleted versions are among them. */
export class AttachmentFold {
  readonly #byManifest = new Map<Digest, Attachment>();

  /** Takes an event; other kinds change nothing. Throws `integrity` for a body that is not what its kind asks for. */
  add({ head, body }: AttachingEvent, file: string): void {
    if (body === undefined) return;
    if (head.kind === 'attached') this.#attach(head, parseAttached(body, file));
    else if (head.kind === 'detached') this.#detach(new Fields(body, file));
  }

  /** All that stand, in the order in which they were attached first. */
  get standing(): readonly Attachment[] {
    return [...this.#byManifest.values()];
  }

  #attach({ seq, at, actor }: AttachingEvent['head'], attached: AttachedManifest | undefined): void {
    if (attached === undefined) return;
    const { tag, ...said } = attached;
    if (tag !== undefined) for (const other of this.standing) this.#untag(other, tag);
    const tags = this.#byManifest.get(said.manifest)?.tags ?? [];
    this.#byManifest.set(said.manifest, { ...said, seq, at, actor, tags: tag === undefined ? tags : [...tags, tag] });
  }

  #detach(fields: Fields): void {
    const manifest = fields.digest('manifest');
    const tag = fields.optionalText('tag');
    const standing = this.#byManifest.get(manifest);
    if (tag === undefined) this.#byManifest.delete(manifest);
    else if (standing !== undefined) this.#untag(standing, tag);
  }

  #untag(attachment: Attachment, tag: string): void {
    if (!attachment.tags.includes(tag)) return;
    const tags = attachment.tags.filter((each) => each !== tag);
    if (tags.length === 0 && attachment.byTag === true) this.#byManifest.delete(attachment.manifest);
    else this.#byManifest.set(attachment.manifest, { ...attachment, tags });
  }
}
