/**
 * A push makes a version of a package: read and hash it, store what is missing, publish one event. Contents come before
 * the manifest and the manifest before the event, so that a push that dies leaves a whole version or none.
 */

import type { Capture } from './capture.ts';
import type { ContentStore, RecipeRef, SealedUpload, Upload } from './content/content-store.ts';
import { type Digest, digestOf } from './digest.ts';
import { IngotError, isIngotError } from './errors.ts';
import { captureBytes } from './package/captured.ts';
import type { PackagePlan } from './package/package.ts';
import { readPackage } from './package/read.ts';
import type { OnProgress } from './progress.ts';
import { formatReference, parseAlias } from './ref.ts';
import type { ModelView, PublishOptions, PublishResult, Registry, VersionDraft } from './registry/registry.ts';

/** Options of {@link push}. */
export interface PushOptions {
  readonly registry: Registry;
  readonly contents: ContentStore;
  /** Model name. Default: from the metadata, else from the file or directory name. */
  readonly name?: string;
  /** A label of one's own; refused when another version has it. Default: `version` of the metadata. */
  readonly label?: string;
  /** Aliases to point at the version, also when its content was there already. Default: none. */
  readonly aliases?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly metrics?: Readonly<Record<string, number>>;
  /** Why, for the history. */
  readonly message?: string;
  /** What was known when the model was made. Default: nothing. */
  readonly captured?: Capture;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** A file of a push, and whether its bytes had to be stored. */
export interface PushedFile {
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly new: boolean;
}

/** What a push did. */
export interface PushResult extends PublishResult {
  /** `churn:7`. */
  readonly ref: string;
  readonly plan: PackagePlan;
  readonly files: readonly PushedFile[];
  /** Bytes of the package's files: all, written now, there already. */
  readonly bytes: { readonly total: number; readonly new: number; readonly stored: number };
  /** What was stored; undefined when the newest version already had this content. */
  readonly sealed?: SealedUpload;
}

/**
 * Pushes a package. The same content again stores nothing and gives the same version, but still moves aliases and adds
 * tags and metrics.
 * @throws IngotError as {@link readPackage}, `label-taken`, `invalid-name` (alias), `source-changed`, and as stores do.
 * @example
 * const { ref } = await push('./churn', { registry, contents, aliases: ['staging'] });
 */
export async function push(path: string, options: PushOptions): Promise<PushResult> {
  for (const alias of options.aliases ?? []) parseAlias(alias);
  const plan = await readPackage(path, options);
  return await pushPlan(plan, options);
}

/** Pushes a package that was read already; as {@link push}. */
export async function pushPlan(plan: PackagePlan, options: PushOptions): Promise<PushResult> {
  const before = await modelNow(plan, options);
  if (before?.latest?.manifest === plan.manifestDigest) {
    const added = await addToNewest(plan, before.latest.number, options);
    if (added !== undefined) return resultOf(plan, added, new Set());
  } else refuseTakenLabel(plan, before);
  const model = await options.registry.ensureModel(plan.name, { signal: options.signal });
  await using upload = await options.contents.openUpload({
    modelId: model.id,
    base: model.base,
    signal: options.signal,
  });
  const fresh = await putAll(upload, plan, options);
  const sealed = await upload.seal({ signal: options.signal, onProgress: options.onProgress });
  const published = await publish(plan, { recipe: sealed.recipe, upload: upload.id }, options);
  await upload.release();
  return { ...resultOf(plan, published, fresh), sealed };
}

/**
 * Adds to the version that has this content already. Undefined when another version became the newest meanwhile: then
 * an upload must say on what the new one relies, for a collection may take what only an old version names.
 */
async function addToNewest(
  plan: PackagePlan,
  number: number,
  options: PushOptions,
): Promise<PublishResult | undefined> {
  try {
    const recipe = await recipeOf(plan, number, options);
    return await publish(plan, { recipe }, options, { existingOnly: true });
  } catch (error) {
    if (isIngotError(error, 'version-not-found', 'model-not-found')) return undefined;
    if (isIngotError(error, 'conflict') && error.details.newest !== undefined) return undefined;
    throw error;
  }
}

async function modelNow(plan: PackagePlan, { registry, signal }: PushOptions): Promise<ModelView | undefined> {
  try {
    return await registry.model(plan.name, { signal });
  } catch (error) {
    if (isIngotError(error, 'model-not-found')) return undefined;
    throw error;
  }
}

async function recipeOf(plan: PackagePlan, number: number, { registry, signal }: PushOptions): Promise<RecipeRef> {
  const { recipe } = await registry.version({ name: plan.name, selector: { kind: 'version', number } }, { signal });
  return recipe;
}

/** Before gigabytes are stored; publishing checks it again. */
function refuseTakenLabel(plan: PackagePlan, model: ModelView | undefined): void {
  if (plan.label === undefined || plan.labelFrom !== 'flag') return;
  const holder = model?.all.find(({ label }) => label === plan.label);
  if (holder === undefined) return;
  throw new IngotError(
    'label-taken',
    `version ${holder.number} of "${plan.name}" has the label "${plan.label}" already`,
    {
      operation: 'push',
      hint: 'choose another --label, or leave it out: versions are numbered anyway',
      details: { label: plan.label, number: holder.number },
    },
  );
}

/** Adds files first, documents after; gives the digests that are new. */
async function putAll(upload: Upload, plan: PackagePlan, options: PushOptions): Promise<Set<Digest>> {
  const fresh = new Set<Digest>();
  for (const { path, digest, sizeBytes, open } of plan.files) {
    const put = await upload.put({ role: 'file', path, digest, sizeBytes, open }, { signal: options.signal });
    if (put.newBytes > 0) fresh.add(digest);
  }
  const documents = [
    { role: 'config' as const, bytes: plan.config },
    ...(options.captured === undefined ? [] : [{ role: 'captured' as const, bytes: captureBytes(options.captured) }]),
    { role: 'manifest' as const, bytes: plan.manifest },
  ];
  for (const { role, bytes } of documents) {
    const open = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes;
    };
    await upload.put({ role, digest: digestOf(bytes), sizeBytes: bytes.length, open }, { signal: options.signal });
  }
  return fresh;
}

async function publish(
  plan: PackagePlan,
  stored: Pick<VersionDraft, 'recipe' | 'upload'>,
  options: PushOptions,
  how: Pick<PublishOptions, 'existingOnly'> = {},
): Promise<PublishResult> {
  const draft = { ...draftOf(plan, options), ...stored };
  const { registry, aliases, message, signal } = options;
  return await registry.publish(plan.name, draft, {
    ...how,
    aliases,
    signal,
    ...(message === undefined ? {} : { reason: message }),
  });
}

function draftOf(plan: PackagePlan, { captured, tags, metrics, message }: PushOptions): Omit<VersionDraft, 'recipe'> {
  const environment = captured?.environment ?? { python: plan.pythonVersion, requirements: plan.requirements };
  return present({
    manifest: plan.manifestDigest,
    sizeBytes: plan.sizeBytes,
    fileCount: plan.files.length,
    flavor: plan.flavor,
    label: plan.label,
    labelFrom: plan.labelFrom,
    description: plan.metadata?.description,
    author: plan.metadata?.author,
    message,
    signature: plan.signature,
    metrics: merged(captured?.metrics, metrics),
    params: merged(plan.metadata?.hyperparameters, captured?.params),
    tags: merged(captured?.tags, tags),
    lineage: captured?.lineage,
    environment: present(environment),
    serializer: captured?.serializer ?? { name: serializerOf(plan), executesCode: plan.executesCode },
    captured: captured === undefined ? undefined : digestOf(captureBytes(captured)),
    scan: 'not scanned',
  });
}

function serializerOf({ artifactPath, flavor }: PackagePlan): string {
  const extension = /\.([A-Za-z0-9]+)$/.exec(artifactPath ?? '')?.[1]?.toLowerCase();
  return extension === undefined ? flavor : extension === 'pkl' ? 'pickle' : extension;
}

/** Two records as one, the second winning; undefined when both are empty. */
function merged<T>(
  first: Readonly<Record<string, T>> | undefined,
  second: Readonly<Record<string, T>> | undefined,
): Readonly<Record<string, T>> | undefined {
  const both = { ...first, ...second };
  return Object.keys(both).length === 0 ? undefined : both;
}

/** Without the keys that have no value, so that events and equality see none. */
function present<T extends object>(value: T): T {
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries) as T;
}

function resultOf(plan: PackagePlan, published: PublishResult, fresh: ReadonlySet<Digest>): PushResult {
  const files = plan.files.map(({ path, digest, sizeBytes }) => ({ path, digest, sizeBytes, new: fresh.has(digest) }));
  const sizes = new Map(files.filter((file) => file.new).map(({ digest, sizeBytes }) => [digest, sizeBytes]));
  const written = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return {
    ...published,
    ref: formatReference({
      name: published.version.model,
      selector: { kind: 'version', number: published.version.number },
    }),
    plan,
    files,
    bytes: { total: plan.sizeBytes, new: written, stored: plan.sizeBytes - written },
  };
}
