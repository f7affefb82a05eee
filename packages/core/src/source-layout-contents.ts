import type { ContentStore, ReadOptions, Recipe, RecipeContent, RecipeRef } from './content/content-store.ts';
import { createDigester, type Digest, parseDigest } from './digest.ts';
import { IngotError } from './errors.ts';
import { checkedBlob } from './oci/checked-blob.ts';
import { asOciDigest } from './oci/digest.ts';
import type { OciLayout } from './oci/layout.ts';
import { readTar } from './package/foreign/tar-read.ts';
import { parseManifest } from './package/manifest-read.ts';
import { MEDIA_TYPES } from './package/manifest.ts';
import { parseOciManifest } from './oci/manifest.ts';

/** Where the bytes of a content are: a blob, or a range of one. */
interface Place {
  readonly blob: { readonly digest: Digest; readonly size: number };
  readonly range?: { readonly start: number; readonly end: number };
}

interface OpenPackage {
  readonly recipe: Recipe;
  readonly places: ReadonlyMap<Digest, Place>;
}

/**
 * Reads contents of packages that lie in a layout; a recipe there is found by the digest of its manifest. Files that lie
 * in a tar are found by reading it once.
 * @param captured what was captured of the package of a manifest.
 */
export function layoutContents(
  layout: OciLayout,
  captured: (manifest: Digest) => { readonly digest: Digest; readonly sizeBytes: number } | undefined,
): ContentStore {
  const opened = new Map<Digest, Promise<OpenPackage>>();
  const open = (ref: RecipeRef): Promise<OpenPackage> => {
    const known = opened.get(ref.digest) ?? openPackage(layout, ref, captured(ref.digest));
    opened.set(ref.digest, known);
    known.catch(() => opened.delete(ref.digest));
    return known;
  };
  return {
    openRecipe: async (ref) => (await open(ref)).recipe,
    async *read(recipe, digest, options) {
      const place = (await open(recipe.ref)).places.get(digest);
      if (place === undefined)
        throw new IngotError('content-not-found', `${layout.address} has no content ${digest} for this package`);
      yield* bytesOf(layout, digest, place, options);
    },
    openUpload: async () => {
      throw layoutIsReadOnly(layout.address);
    },
  };
}

async function* bytesOf(layout: OciLayout, digest: Digest, { blob, range }: Place, options: ReadOptions = {}) {
  const { signal } = options;
  const start = range?.start ?? 0;
  const size = (range?.end ?? blob.size) - start;
  const wanted = options.range ?? { start: 0, end: size };
  const named = { digest: asOciDigest(blob.digest), size: blob.size };
  const call = signal === undefined ? {} : { signal };
  const bytes = layout.blob(named, { ...call, range: { start: start + wanted.start, end: start + wanted.end } });
  if (options.range !== undefined || size === 0) yield* bytes;
  else yield* checkedBlob({ digest: asOciDigest(digest), size }, bytes);
}

async function openPackage(
  layout: OciLayout,
  ref: RecipeRef,
  captured: { readonly digest: Digest; readonly sizeBytes: number } | undefined,
): Promise<OpenPackage> {
  const { bytes } = await layout.manifest(ref.digest);
  const { config } = configOf(bytes);
  const contents: RecipeContent[] = [];
  const places = new Map<Digest, Place>();
  const add = (content: Omit<RecipeContent, 'chunks'>, place: Place): void => {
    contents.push({ ...content, chunks: content.sizeBytes === 0 ? 0 : 1 });
    places.set(content.digest, place);
  };
  const whole = (role: RecipeContent['role'], digest: Digest, size: number, path?: string): void =>
    add({ role, digest, sizeBytes: size, ...(path === undefined ? {} : { path }) }, { blob: { digest, size } });
  for (const layer of parseManifest(bytes, { expected: ref.digest }).layers) {
    if (layer.kind === 'raw') whole('file', layer.digest, layer.sizeBytes, layer.file.path);
    else await addTar(layout, { digest: layer.digest, size: layer.sizeBytes }, add);
  }
  whole('config', parseDigest(config.digest), config.size);
  if (captured !== undefined) whole('captured', captured.digest, captured.sizeBytes);
  whole('manifest', ref.digest, bytes.byteLength);
  return { recipe: { ref, packs: [], pages: [], contents }, places };
}

async function addTar(
  layout: OciLayout,
  blob: { readonly digest: Digest; readonly size: number },
  add: (content: Omit<RecipeContent, 'chunks'>, place: Place) => void,
): Promise<void> {
  const tar = layout.blob({ digest: asOciDigest(blob.digest), size: blob.size });
  for await (const { kind, path, sizeBytes, start, body } of readTar(tar, layout.address)) {
    if (kind !== 'file') continue;
    const digester = createDigester();
    for await (const piece of body) digester.update(piece);
    const range = { start, end: start + sizeBytes };
    add({ role: 'file', path, sizeBytes, digest: digester.finish() }, { blob, range });
  }
}

function configOf(bytes: Uint8Array) {
  const manifest = parseOciManifest({ bytes, mediaType: MEDIA_TYPES.manifest });
  if (manifest.kind === 'manifest') return manifest;
  throw new IngotError('invalid-package', 'an index is no package');
}

/** The error of changing what lies in a layout. */
export function layoutIsReadOnly(address: string): IngotError {
  return new IngotError('refused', `${address} is a layout: as a registry it is only read`, {
    operation: 'open',
    hint: `INGOT_REGISTRY=… ingot export churn@production -o ${address}   (adds a version from elsewhere)`,
  });
}
