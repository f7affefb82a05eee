import type { RecipeRef } from '@ingot/core/content/content-store';
import { isIngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';
import { asOciDigest, isOciDigest } from '@ingot/core/oci/digest';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import { type Attachment, AttachmentFold } from '@ingot/core/registry/attachments';
import { fileOf } from '../index/projector.ts';
import type { Services } from '../services.ts';
import type { KeptManifest, Referrer } from './manifest-rows.ts';
import type { ModelContents, OciBlob } from './oci-blobs.ts';
import { modelOf, type RepositoryName } from './repository.ts';

/** What is attached to the versions of a model that are not deleted. */
export interface Attached {
  /** By each digest that it has a name of. */
  readonly byDigest: ReadonlyMap<string, Attachment>;
  readonly byTag: ReadonlyMap<string, Attachment>;
  /** Where a blob lies, by what manifests call it. */
  readonly blobs: ReadonlyMap<string, { readonly recipe: RecipeRef; readonly blob: Attachment['blobs'][number] }>;
}

interface KeptFold {
  readonly seq: number;
  readonly attached: Promise<Attached>;
}

const NONE: Attached = { byDigest: new Map(), byTag: new Map(), blobs: new Map() };
const MODELS_KEPT = 200;
const MANIFESTS_KEPT = 100;
const KEPT_BYTES = 64 * 1024;

/** Reads what is attached to versions: from the index what there is, from the store what it says. */
export class Attachments implements Pick<ModelContents, 'find'> {
  readonly #services: Pick<Services, 'database' | 'index' | 'store'>;
  readonly #models = new Map<string, KeptFold>();
  readonly #manifests = new Map<string, Uint8Array>();

  constructor(services: Pick<Services, 'database' | 'index' | 'store'>) {
    this.#services = services;
  }

  /** All that is attached in the model that a repository shows. */
  async of(repository: string): Promise<Attached> {
    const name = modelOf(repository);
    if (name === undefined) return NONE;
    try {
      const { id, seq } = await this.#services.index.placeOf(name);
      return await this.#fold(id, seq);
    } catch (error) {
      if (isIngotError(error, 'model-not-found')) return NONE;
      throw error;
    }
  }

  /** Reads an attached manifest as it was pushed. */
  async read(attachment: Attachment, called?: OciDigest): Promise<Omit<KeptManifest, 'repository'>> {
    const { manifest, mediaType } = attachment;
    const bytes = this.#manifests.get(manifest) ?? (await this.#bytesOf(attachment));
    return { bytes, mediaType, digest: called ?? digestOf(attachment), sha256: asOciDigest(manifest) };
  }

  /** What a version with this manifest was pushed as, as far as the log keeps it. */
  async pushedAs(repository: string, manifest: string): Promise<Omit<KeptManifest, 'repository'> | undefined> {
    const all = [...(await this.of(repository)).byDigest.values()];
    const last = all.findLast((each) => each.isVersion === true && each.subject === manifest);
    return last && (await this.read(last));
  }

  /** What says of itself that it refers to a manifest. */
  async referrers(repository: string, subject: OciDigest): Promise<readonly Referrer[]> {
    const all = new Set((await this.of(repository)).byDigest.values());
    return [...all]
      .filter((each) => each.isVersion !== true && each.byTag !== true && (each.refers ?? each.subject) === subject)
      .map((each) => ({
        digest: digestOf(each),
        mediaType: each.mediaType,
        size: each.sizeBytes,
        artifactType: each.artifactType,
        annotations: each.annotations ?? {},
      }));
  }

  /** Finds a blob that an attached manifest names. */
  async find(repository: RepositoryName, digest: OciDigest): Promise<OciBlob | undefined> {
    const found = (await this.of(repository)).blobs.get(digest);
    if (found === undefined) return undefined;
    const { contents } = this.#services.store;
    const { recipe, blob } = found;
    return {
      sizeBytes: blob.sizeBytes,
      content: blob.content,
      recipe,
      async *read(options) {
        yield* contents.read(await contents.openRecipe(recipe), blob.content, options);
      },
    };
  }

  async #bytesOf({ recipe: ref, manifest }: Attachment): Promise<Uint8Array> {
    const { contents } = this.#services.store;
    const pieces: Uint8Array[] = [];
    for await (const piece of contents.read(await contents.openRecipe(ref), manifest)) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    if (bytes.byteLength <= KEPT_BYTES) keep(this.#manifests, manifest, bytes, MANIFESTS_KEPT);
    return bytes;
  }

  async #fold(modelId: string, seq: number): Promise<Attached> {
    const known = this.#models.get(modelId);
    if (known?.seq === seq) return await known.attached;
    const attached = this.#read(modelId);
    keep(this.#models, modelId, { seq, attached }, MODELS_KEPT);
    try {
      return await attached;
    } catch (error) {
      this.#models.delete(modelId);
      throw error;
    }
  }

  async #read(modelId: string): Promise<Attached> {
    const { index } = this.#services.database;
    const rows = await index
      .selectFrom('events')
      .select(['seq', 'at', 'actor', 'kind', 'body'])
      .where('log', '=', modelId)
      .where('kind', 'in', ['attached', 'detached'])
      .orderBy('seq')
      .execute();
    if (rows.length === 0) return NONE;
    const fold = new AttachmentFold();
    for (const { body, ...head } of rows)
      fold.add({ head: { ...head, seq: Number(head.seq) }, body: bodyIn(body) }, fileOf(modelId, Number(head.seq)));
    const versions = await index
      .selectFrom('versions')
      .select('manifest')
      .distinct()
      .where('model_id', '=', modelId)
      .where('status', '<>', 'deleted')
      .execute();
    const standing = new Set<string>(versions.map(({ manifest }) => manifest));
    return attachedIn(fold.standing.filter(({ subject }) => standing.has(subject)));
  }
}

function attachedIn(all: readonly Attachment[]): Attached {
  const found = all.flatMap((each) => each.blobs.map((blob) => ({ recipe: each.recipe, blob })));
  return {
    byDigest: new Map(all.flatMap((each) => [each.manifest, each.called ?? each.manifest].map((key) => [key, each]))),
    byTag: new Map(all.flatMap((each) => each.tags.map((tag) => [tag, each]))),
    blobs: new Map(found.flatMap((each) => [each.blob.digest, each.blob.content].map((key) => [key, each]))),
  };
}

/** What an attached manifest is called. */
export function digestOf({ called, manifest }: Pick<Attachment, 'called' | 'manifest'>): OciDigest {
  return called !== undefined && isOciDigest(called) ? called : asOciDigest(manifest);
}

function bodyIn(text: string | null): JsonObject | undefined {
  return text === null ? undefined : JSON.parse(text);
}

function keep<Value>(kept: Map<string, Value>, key: string, value: Value, most: number): void {
  kept.delete(key);
  kept.set(key, value);
  const [oldest] = kept.keys();
  if (kept.size > most && oldest !== undefined) kept.delete(oldest);
}
