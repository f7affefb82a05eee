/**
 * A push makes a version of a package: look at what it is, read each file once while what is missing is stored, publish
 * one event. Contents come before the manifest and the manifest before the event, so that a push that dies leaves a
 * whole version or none.
 */

import type { Capture } from './capture.ts';
import type { ContentStore, PutResult, RecipeRef, SealedUpload, Upload } from './content/content-store.ts';
import type { Digest } from './digest.ts';
import { IngotError, isIngotError } from './errors.ts';
import { withForeign } from './package/foreign/adapt.ts';
import { openForeign } from './package/foreign/open-foreign.ts';
import type { HashMemory, RememberedHashes } from './package/hash-memory.ts';
import { type FileToRead, hashPackage, type ReadFiles, rememberedLayers } from './package/hash-package.ts';
import type { HashedLayer } from './package/manifest.ts';
import type { PackagePlan, Problem } from './package/package.ts';
import { completePackage, draftPackage, type PackageDraft, packageError } from './package/read.ts';
import { openSourceBlocks, readSource, readSourceNow } from './package/source-file.ts';
import type { OnProgress } from './progress.ts';
import { alikeProblems } from './push-alike.ts';
import { putDocuments, withCard } from './push-documents.ts';
import { draftVersion } from './push-draft.ts';
import { formatReference, parseAlias, parseReference } from './ref.ts';
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
  /** References of further versions, of any model of the store, whose contents need not be stored again. Default: the model's newest three are known anyway. */
  readonly bases?: readonly string[];
  /** Remembers the digests of files, so that those that were not touched since are not read again. Default: nothing is remembered. */
  readonly hashes?: HashMemory;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** A file of a push, and how many of its bytes had to be stored. */
export interface PushedFile {
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Whether any of its bytes had to be. */
  readonly new: boolean;
  readonly newBytes: number;
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
 * @throws IngotError as {@link openForeign} and {@link draftPackage}, `label-taken`, `invalid-name` (alias), `source-changed`, and as stores do.
 * @example
 * const { ref } = await push('./churn', { registry, contents, aliases: ['staging'] });
 */
export async function push(path: string, options: PushOptions): Promise<PushResult> {
  for (const alias of options.aliases ?? []) parseAlias(alias);
  await using foreign = await openForeign(path, options);
  return await pushDraft(await draftPackage(path, { ...options, ...(foreign && { foreign }) }), options);
}

/** Pushes a package that was looked at already; as {@link push}. */
export async function pushDraft(draft: PackageDraft, given: PushOptions): Promise<PushResult> {
  const captured = withForeign(given.captured, draft.captured);
  const options = captured === undefined ? given : { ...given, captured };
  const hashes = await options.hashes?.open(draft.root);
  const { before, problems } = await modelNow(draft.name, options);
  const layers = hashes && rememberedLayers(draft.sources, hashes);
  // A label that is taken is refused before gigabytes are stored, unless the newest version turns out to be this one.
  const known = layers ?? (labelHolder(draft, before) && (await hashedOnly(draft, hashes, options)));
  if (known !== undefined) {
    const pushed = await pushSame(await planOf(draft, async () => known), before, options);
    if (pushed !== undefined) return pushed;
    refuseTakenLabel(draft, before);
  }
  const pushed = await pushNew(draft.name, before, options, async (upload) => {
    const files: PutResult[] = [];
    const read = readInto(upload, files, options);
    const plan = await planOf(draft, () => hashPackage(draft.sources, { read, ...(hashes && { hashes }) }));
    await hashes?.save();
    return { plan, files };
  });
  return withProblems(pushed, problems);
}

/** Pushes a package that was read already; as {@link push}. */
export async function pushPlan(plan: PackagePlan, options: PushOptions): Promise<PushResult> {
  const { before, problems } = await modelNow(plan.name, options);
  const same = await pushSame(plan, before, options);
  if (same !== undefined) return same;
  refuseTakenLabel(plan, before);
  const pushed = await pushNew(plan.name, before, options, async (upload) => {
    const files = await Promise.all(
      plan.files.map(({ path, digest, sizeBytes, open }) =>
        upload.put({ role: 'file', path, digest, sizeBytes, open }, callOptions(options)),
      ),
    );
    return { plan, files };
  });
  return withProblems(pushed, problems);
}

/** Adds what is worth knowing of the model's name to what is of its package. */
function withProblems(pushed: PushResult, problems: readonly Problem[]): PushResult {
  const { plan } = pushed;
  return { ...pushed, plan: { ...plan, problems: [...plan.problems, ...problems] } };
}

async function planOf(draft: PackageDraft, read: () => Promise<readonly HashedLayer[]>): Promise<PackagePlan> {
  const { plan, problems } = await completePackage(draft, read);
  if (plan !== undefined) return plan;
  throw packageError(draft.root, problems);
}

async function hashedOnly(
  draft: PackageDraft,
  hashes: RememberedHashes | undefined,
  options: PushOptions,
): Promise<readonly HashedLayer[]> {
  const layers = await hashPackage(draft.sources, { ...callOptions(options), ...(hashes && { hashes }) });
  await hashes?.save();
  return layers;
}

/** Reads files straight into an upload, all in one pass; what became of each goes into `results`. */
function readInto(upload: Upload, results: PutResult[], options: PushOptions): ReadFiles {
  return async (files) => {
    const put = ({ file, remembered, onBytes }: FileToRead): Promise<PutResult> =>
      upload.put(
        {
          role: 'file',
          path: file.path,
          sizeBytes: file.sizeBytes,
          ...(remembered && { remembered }),
          ...(onBytes && { onBytes }),
          open: () => readSource(file, options.signal),
          openBlocks: () => openSourceBlocks(file),
          readNow: (into) => readSourceNow(file, into),
        },
        callOptions(options),
      );
    results.push(...(await Promise.all(files.map(put))));
    return results.map(({ digest }) => digest);
  };
}

/** Adds to the newest version when it has this content; undefined when it has not. */
async function pushSame(
  plan: PackagePlan,
  before: ModelView | undefined,
  options: PushOptions,
): Promise<PushResult | undefined> {
  if (before?.latest?.manifest !== plan.manifestDigest) return undefined;
  const added = await addToNewest(plan, options);
  return added && resultOf(plan, added, []);
}

/** What an upload has taken of a package. */
interface TakenFiles {
  readonly plan: PackagePlan;
  readonly files: readonly PutResult[];
}

async function pushNew(
  name: PackagePlan['name'],
  before: ModelView | undefined,
  options: PushOptions,
  take: (upload: Upload) => Promise<TakenFiles>,
): Promise<PushResult> {
  const { registry, contents, signal } = options;
  // A model is made only when there is a version to come: a push that is given up leaves no name behind.
  const model = before === undefined ? undefined : await registry.ensureModel(name, { signal });
  let id = model?.id;
  const modelId = async (): Promise<string> => {
    id ??= (await registry.ensureModel(name, { signal })).id;
    return id;
  };
  // What it writes is over before the push is, also when that fails.
  await using _ = ended(registry.prepareWrite?.({ signal }));
  const base = [...(model?.base ?? []), ...(await basesOf(options))];
  await using upload = await contents.openUpload({ modelId, base, signal });
  const { plan, files } = await take(upload);
  const pushed = await pushSame(plan, before, options);
  if (pushed !== undefined) return pushed;
  const carded = withCard(plan, options);
  await putDocuments(upload, plan, carded);
  const sealed = await upload.seal(callOptions(options));
  // The root names this model: published under another, which took the name meanwhile, nothing would keep the contents.
  const stored = { recipe: sealed.recipe, upload: upload.id, modelId: await modelId() };
  const published = await publish(plan, stored, carded);
  await upload.release();
  return { ...resultOf(plan, published, files), sealed };
}

/** Waits for work when its block is left. */
function ended(work: Promise<void> | undefined): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => work };
}

async function basesOf({ bases = [], registry, signal }: PushOptions): Promise<readonly RecipeRef[]> {
  return await Promise.all(
    bases.map(async (reference) => (await registry.version(parseReference(reference), { signal })).recipe),
  );
}

function callOptions({ signal, onProgress }: PushOptions): Pick<PushOptions, 'signal' | 'onProgress'> {
  return { ...(signal && { signal }), ...(onProgress && { onProgress }) };
}

/**
 * Adds to the version that has this content already. Undefined when another version became the newest meanwhile: then
 * an upload must say on what the new one relies, for a collection may take what only an old version names.
 */
async function addToNewest(plan: PackagePlan, options: PushOptions): Promise<PublishResult | undefined> {
  try {
    return await publish(plan, {}, options, { existingOnly: true });
  } catch (error) {
    if (isIngotError(error, 'version-not-found', 'model-not-found')) return undefined;
    if (isIngotError(error, 'conflict') && error.details.newest !== undefined) return undefined;
    throw error;
  }
}

/** A model as it is before a push, and what to say where there is none of that name. */
interface Found {
  readonly before: ModelView | undefined;
  readonly problems: readonly Problem[];
}

async function modelNow(name: PackagePlan['name'], { registry, signal }: PushOptions): Promise<Found> {
  try {
    return { before: await registry.model(name, { signal }), problems: [] };
  } catch (error) {
    if (isIngotError(error, 'model-not-found')) return { before: undefined, problems: alikeProblems(name, error) };
    throw error;
  }
}

/** The version that has the label which this push names. */
function labelHolder({ label, labelFrom }: Labelled, model: ModelView | undefined): { number: number } | undefined {
  if (label === undefined || labelFrom !== 'flag') return undefined;
  return model?.all.find((version) => version.label === label);
}

type Labelled = Pick<PackageDraft, 'name' | 'label' | 'labelFrom'>;

/** Before gigabytes are stored; publishing checks it again. */
function refuseTakenLabel(draft: Labelled, model: ModelView | undefined): void {
  const holder = labelHolder(draft, model);
  if (holder === undefined) return;
  throw new IngotError(
    'label-taken',
    `version ${holder.number} of "${draft.name}" has the label "${draft.label}" already`,
    {
      operation: 'push',
      hint: 'choose another --label, or leave it out: versions are numbered anyway',
      details: { label: draft.label ?? '', number: holder.number },
    },
  );
}

async function publish(
  plan: PackagePlan,
  stored: Pick<VersionDraft, 'recipe' | 'upload' | 'modelId'> | { readonly recipe?: undefined },
  options: PushOptions,
  how: Pick<PublishOptions, 'existingOnly'> = {},
): Promise<PublishResult> {
  const draft = { ...draftVersion(plan, options), ...stored };
  const { registry, aliases, message, signal } = options;
  return await registry.publish(plan.name, draft, {
    ...how,
    aliases,
    signal,
    ...(message === undefined ? {} : { reason: message }),
  });
}

/** @param put what became of each file; nothing when no file was stored. */
function resultOf(plan: PackagePlan, published: PublishResult, put: readonly PutResult[]): PushResult {
  const files = plan.files.map(({ path, digest, sizeBytes }, n) => {
    const newBytes = put[n]?.newBytes ?? 0;
    return { path, digest, sizeBytes, new: newBytes > 0, newBytes };
  });
  const written = files.reduce((sum, { newBytes }) => sum + newBytes, 0);
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
