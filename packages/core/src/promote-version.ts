import type {
  ContentBody,
  ContentReader,
  ContentRole,
  ContentStore,
  Recipe,
  RecipeRef,
} from './content/content-store.ts';
import type { VersionFacts } from './bundle-format.ts';
import { isIngotError } from './errors.ts';
import type { OnProgress } from './progress.ts';
import type { ModelName } from './ref.ts';
import { compact } from './registry/fields.ts';
import type { ModelView, Registry, VersionDraft, VersionRecord } from './registry/registry.ts';

/** A registry that takes versions, with its contents. */
export interface ArrivalPlace {
  readonly registry: Registry;
  readonly contents: ContentStore;
}

/** A version that comes from elsewhere: what it consists of, and what its event will say. */
export interface ArrivingVersion {
  readonly name: ModelName;
  readonly facts: VersionFacts;
  /** Files first, the manifest last. */
  readonly contents: readonly ContentBody[];
}

/** Options of {@link storeVersion}. */
export interface StoreVersionOptions {
  /** Recipes of versions that were stored just now, newest first, and stay until this one is released. Default: none. */
  readonly base?: readonly RecipeRef[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** A version whose contents are stored and which no event names yet. Disposing it lets go of what it does not release. */
export interface StoredArrival extends AsyncDisposable {
  readonly draft: VersionDraft;
  /** Bytes that were written, and bytes that were there already. */
  readonly bytes: { readonly new: number; readonly stored: number };
  /** To be called when the event stands. */
  release(): Promise<void>;
}

/**
 * Stores the contents of a version from elsewhere, each checked while it flows; what earlier versions have is not stored
 * again, and what an interrupted call has stored is found by the next one.
 * @throws IngotError `integrity` for contents that are not what they should be, and as stores do.
 */
export async function storeVersion(
  { name, facts, contents: bodies }: ArrivingVersion,
  { registry, contents }: ArrivalPlace,
  { base = [], signal, onProgress }: StoreVersionOptions,
): Promise<StoredArrival> {
  const model = await registry.ensureModel(name, { signal });
  const call = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const upload = await contents.openUpload({ modelId: model.id, base: [...base, ...model.base], ...call });
  try {
    await Promise.all(bodies.map((body) => upload.put(body, call)));
    const sealed = await upload.seal(call);
    const draft = { ...facts, labelFrom: 'metadata' as const, recipe: sealed.recipe, upload: upload.id };
    return {
      draft: { ...draft, modelId: model.id },
      bytes: { new: sealed.newBytes, stored: sealed.storedBytes },
      release: () => upload.release(),
      [Symbol.asyncDispose]: () => upload[Symbol.asyncDispose](),
    };
  } catch (error) {
    await upload[Symbol.asyncDispose]();
    throw error;
  }
}

const ORDER: Readonly<Record<ContentRole, number>> = {
  file: 0,
  wheel: 1,
  config: 2,
  captured: 3,
  history: 4,
  manifest: 5,
};

/** Contents as an upload takes them: files first, documents behind, the manifest last. */
export function inOrder(contents: readonly ContentBody[]): readonly ContentBody[] {
  return [...contents].sort((a, b) => ORDER[a.role] - ORDER[b.role]);
}

/** The contents of a stored version, read from its store when they are needed. */
export function contentsOf(
  reader: ContentReader,
  recipe: Recipe,
  signal: AbortSignal | undefined,
): readonly ContentBody[] {
  return recipe.contents.map(({ role, path, digest, sizeBytes }) => ({
    role,
    ...(path === undefined ? {} : { path }),
    digest,
    sizeBytes,
    remembered: digest,
    open: () => reader.read(recipe, digest, { ...(signal && { signal }) }),
  }));
}

/** A content of bytes at hand. */
export function contentOfBytes(
  role: ContentRole,
  bytes: Uint8Array,
  digest: NonNullable<ContentBody['digest']>,
): ContentBody {
  return {
    role,
    digest,
    sizeBytes: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}

/** Tags that tell where a version went on; they are not taken along. */
export const PROMOTED_TAG = 'promoted.';

/** What is read of a version to tell of it elsewhere. */
export type ToldRecord = Omit<VersionRecord, 'recipe' | 'model' | 'modelId' | 'number' | 'publishedBy' | 'aliases'>;

/** What the event of a version that came from elsewhere says, of what the other registry says now. */
export function factsOf(record: ToldRecord): VersionFacts {
  const { manifest, sizeBytes, fileCount, flavor, label, description, author, message, signature, metrics } = record;
  const { params, lineage, environment, serializer, captured, scan, status, createdAt, publishedAt } = record;
  const tags = Object.fromEntries(Object.entries(record.tags ?? {}).filter(([key]) => !key.startsWith(PROMOTED_TAG)));
  return compact({
    manifest,
    sizeBytes,
    fileCount,
    flavor,
    label,
    description,
    author,
    message,
    createdAt: createdAt ?? publishedAt,
    retired: status === 'retired' ? true : undefined,
    signature,
    metrics,
    params,
    tags: Object.keys(tags).length === 0 ? undefined : tags,
    lineage,
    environment,
    serializer,
    captured,
    scan,
  });
}

/** What a registry has of a model; undefined where there is no such model, or no store yet. */
export async function viewOf(
  registry: Registry,
  name: ModelName,
  signal: AbortSignal | undefined,
): Promise<ModelView | undefined> {
  try {
    return await registry.model(name, { signal });
  } catch (error) {
    if (isIngotError(error, 'model-not-found', 'store-not-found')) return undefined;
    throw error;
  }
}
