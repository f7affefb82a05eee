import type { ContentStore, RecipeRef } from './content/content-store.ts';
import type { ModelName } from './ref.ts';
import type { AttachedBlob, AttachedManifest, AttachmentWriter } from './registry/attachments.ts';
import type { Registry } from './registry/registry.ts';

/** A manifest that is to be attached, with its bytes. */
export interface ArrivingAttachment {
  readonly said: Omit<AttachedManifest, 'blobs' | 'recipe'>;
  readonly bytes: Uint8Array;
  readonly blobs: readonly (AttachedBlob & { open(): AsyncIterable<Uint8Array> })[];
  /** Recipes that have some of the bytes, which are not written again then. Default: none. */
  readonly base?: readonly RecipeRef[];
}

/** Where it is attached. */
export interface AttachmentPlace {
  readonly registry: Pick<Registry, 'ensureModel'> & AttachmentWriter;
  readonly contents: ContentStore;
}

/** Options of {@link storeAttachment}. */
export interface StoreAttachmentOptions {
  readonly actor?: string;
  readonly reason?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Stores the contents of an attachment, each checked while it flows, and then says in the model's log that it is there.
 * @throws IngotError `version-not-found` when no version has its subject, `source-changed` for bytes that are others than
 *   they are called, and as the store does.
 */
export async function storeAttachment(
  name: ModelName,
  { said, bytes, blobs, base = [] }: ArrivingAttachment,
  { registry, contents }: AttachmentPlace,
  { signal, ...options }: StoreAttachmentOptions = {},
): Promise<void> {
  const call = signal === undefined ? {} : { signal };
  const { id: modelId } = await registry.ensureModel(name, { ...options, ...call });
  await using upload = await contents.openUpload({ modelId, base, ...call });
  const distinct = [...new Map(blobs.map((blob) => [blob.content, blob])).values()];
  for (const { content, sizeBytes, open } of distinct) {
    const path = `blobs/${content.replace(':', '/')}`;
    await upload.put({ role: 'file', path, sizeBytes, digest: content, remembered: content, open }, call);
  }
  await upload.put(
    { role: 'manifest', digest: said.manifest, sizeBytes: bytes.byteLength, open: () => only(bytes) },
    call,
  );
  const { recipe } = await upload.seal(call);
  const named = blobs.map(({ digest, content, sizeBytes }) => ({ digest, content, sizeBytes }));
  await registry.attach(name, { ...said, blobs: named, recipe, upload: upload.id }, { ...options, ...call });
  await upload.release();
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
