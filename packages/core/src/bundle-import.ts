import type { BundleModel, BundleVersion, VersionFacts } from './bundle-format.ts';
import { type OpenBundle, openBundle } from './bundle-read.ts';
import type { RecipeRef } from './content/content-store.ts';
import { IngotError, isIngotError } from './errors.ts';
import type { OnProgress } from './progress.ts';
import { type ArrivalPlace, type StoredArrival, storeVersion, viewOf } from './promote-version.ts';
import type { ModelName } from './ref.ts';
import type { ModelView, PublishOptions, Registry, VersionSlim } from './registry/registry.ts';

/** Options of {@link planBundle}. */
export interface PlanBundleOptions {
  readonly registry: Registry;
  /** The model's name here, where the bundle holds one model. Default: the name it has in the bundle. */
  readonly name?: ModelName;
  readonly signal?: AbortSignal | undefined;
}

/** What is to be done with a version of a bundle. */
export interface BundleItem {
  readonly model: ModelName;
  readonly version: BundleVersion;
  /** `there`: a version here has this content already. */
  readonly action: 'add' | 'there';
  /** Its number here; undefined: the next one. */
  readonly number?: number;
  /** Whether it is published retired: it was, or newer ones of the same history are here already. */
  readonly retired: boolean;
}

/** A model of a bundle, beside what is here. */
export interface BundleModelPlan {
  readonly model: ModelName;
  readonly bundled: BundleModel;
  /** There is no such model here. */
  readonly isNew: boolean;
  /** What is here is how the model's history there begins, so that versions keep their numbers. */
  readonly keepsNumbers: boolean;
  readonly items: readonly BundleItem[];
}

/** What an import of a bundle would do. */
export interface BundlePlan {
  readonly path: string;
  readonly models: readonly BundleModelPlan[];
}

/**
 * Opens a bundle, checks it, and compares it with a registry; nothing is written.
 * @throws IngotError as {@link openBundle} does; `usage` for a name where there are several models.
 */
export async function planBundle(
  path: string,
  options: PlanBundleOptions,
): Promise<BundlePlan & AsyncDisposable & { readonly bundle: OpenBundle }> {
  return await planOpenBundle(path, await openBundle(path), options);
}

/**
 * Compares a bundle that was opened with a registry; nothing is written. It is closed when that fails.
 * @param path what it is called.
 * @throws IngotError `usage` for a name where there are several models.
 */
export async function planOpenBundle(
  path: string,
  bundle: OpenBundle,
  options: PlanBundleOptions,
): Promise<BundlePlan & AsyncDisposable & { readonly bundle: OpenBundle }> {
  try {
    const { models } = bundle.document;
    if (options.name !== undefined && models.length > 1)
      throw new IngotError('usage', `the bundle holds ${models.length} models, and one name cannot be that of all`, {
        operation: 'import',
        hint: 'leave out --name',
      });
    const plans: BundleModelPlan[] = [];
    for (const model of models) plans.push(await planModel(model, options));
    return { path, models: plans, bundle, [Symbol.asyncDispose]: () => bundle[Symbol.asyncDispose]() };
  } catch (error) {
    await bundle[Symbol.asyncDispose]();
    throw error;
  }
}

async function planModel(bundled: BundleModel, options: PlanBundleOptions): Promise<BundleModelPlan> {
  const { registry, signal } = options;
  const model = options.name ?? bundled.name;
  const here = await viewOf(registry, model, signal);
  const keepsNumbers = await isContinued(here, bundled, registry, signal);
  const items = bundled.versions.map((version): BundleItem => {
    const there = findHere(here, version, keepsNumbers);
    const retired = version.facts.retired === true;
    if (there !== undefined) return { model, version, action: 'there', number: there.number, retired };
    const newest = here?.all[0]?.number ?? 0;
    const { number } = version.origin;
    if (!keepsNumbers) return { model, version, action: 'add', retired };
    // What is older than the newest of its own history must not become what the model's name means.
    return number > newest
      ? { model, version, action: 'add', number, retired }
      : { model, version, action: 'add', retired: true };
  });
  return { model, bundled, isNew: here === undefined, keepsNumbers, items };
}

/** The newest version here came from the same model under the same number: so did all before it, or their numbers are free. */
async function isContinued(
  here: ModelView | undefined,
  { versions: [first] }: BundleModel,
  registry: Registry,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const newest = here?.all[0];
  if (here === undefined || newest === undefined) return true;
  const selector = { kind: 'version', number: newest.number } as const;
  const { lineage } = await registry.version({ name: here.name, selector }, { signal });
  const from = lineage?.origins?.at(-1);
  return (
    from?.modelId === first?.origin.modelId &&
    from?.number === newest.number &&
    isSameStore(from?.store, first?.origin.store)
  );
}

/** Not everybody is told the id of a store; the model's id is one that no other has. */
function isSameStore(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

function findHere(
  here: ModelView | undefined,
  { facts, origin }: BundleVersion,
  keepsNumbers: boolean,
): VersionSlim | undefined {
  const same = here?.all.filter(({ manifest, status }) => manifest === facts.manifest && status !== 'deleted') ?? [];
  const named = same.find(({ number }) => number === origin.number);
  if (named !== undefined) return named;
  // With numbers of their own, two versions of one content are two.
  const newest = here?.all[0]?.number ?? 0;
  return keepsNumbers && origin.number > newest ? undefined : same[0];
}

/** Options of {@link runBundle}. */
export interface RunBundleOptions extends ArrivalPlace {
  /** Whether aliases are set that the bundle carries. Default: true. */
  readonly aliases?: boolean;
  /** Why, for the history. */
  readonly reason?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** What became of a version. */
export interface BundleOutcome {
  readonly item: BundleItem;
  readonly number: number;
  readonly added: boolean;
  /** Bytes written, and bytes that were there. */
  readonly bytes: { readonly new: number; readonly stored: number };
}

/** What became of an alias. */
export interface BundleAlias {
  readonly model: ModelName;
  readonly alias: string;
  readonly from: number | null;
  readonly to: number;
  /** Why it did not move. */
  readonly error?: IngotError;
}

/** What an import did. */
export interface BundleResult {
  readonly outcomes: readonly BundleOutcome[];
  readonly aliases: readonly BundleAlias[];
}

/**
 * Brings the versions of a bundle into a registry: all contents first, each checked while it is stored; versions when all
 * stand; aliases last. What was interrupted goes on where it was when it is done again.
 * @throws IngotError `integrity` for damaged contents, before anything is published; and as registries and stores do.
 */
export async function runBundle(
  plan: BundlePlan & { readonly bundle: OpenBundle },
  options: RunBundleOptions,
): Promise<BundleResult> {
  const stored = new Map<BundleItem, StoredArrival>();
  try {
    for (const { items } of plan.models) await storeAll(plan.bundle, items, stored, options);
    return await publishAll(plan, stored, options);
  } finally {
    for (const arrival of stored.values()) await arrival[Symbol.asyncDispose]();
  }
}

/** How many versions before it a version is compared with. */
const BASE_VERSIONS = 3;

async function storeAll(
  bundle: OpenBundle,
  items: readonly BundleItem[],
  stored: Map<BundleItem, StoredArrival>,
  options: RunBundleOptions,
): Promise<void> {
  let base: readonly RecipeRef[] = [];
  for (const item of items) {
    if (item.action === 'there') continue;
    const arriving = { name: item.model, facts: factsHere(item), contents: await bundle.contentsOf(item.version) };
    const arrival = await storeVersion(arriving, options, { ...options, base });
    stored.set(item, arrival);
    base = [arrival.draft.recipe, ...base].slice(0, BASE_VERSIONS);
  }
}

async function publishAll(
  plan: BundlePlan,
  stored: ReadonlyMap<BundleItem, StoredArrival>,
  options: RunBundleOptions,
): Promise<BundleResult> {
  const outcomes: BundleOutcome[] = [];
  const aliases: BundleAlias[] = [];
  for (const model of plan.models) {
    const here = new Map<number, number>();
    for (const item of model.items) {
      const outcome = await publish(item, stored.get(item), options);
      here.set(item.version.origin.number, outcome.number);
      outcomes.push(outcome);
    }
    await describe(model, options);
    if (options.aliases !== false) aliases.push(...(await moveAliases(model, here, options)));
  }
  return { outcomes, aliases };
}

function factsHere({ version: { facts, origin }, retired }: BundleItem): VersionFacts {
  const origins = [...(facts.lineage?.origins ?? []), origin];
  const { retired: _, ...rest } = facts;
  return { ...rest, lineage: { ...facts.lineage, origins }, ...(retired && { retired }) };
}

async function publish(
  item: BundleItem,
  arrival: StoredArrival | undefined,
  { registry, reason, signal }: RunBundleOptions,
): Promise<BundleOutcome> {
  const { model, number, version } = item;
  if (arrival === undefined) return { item, number: number ?? 0, added: false, bytes: { new: 0, stored: 0 } };
  const options: PublishOptions = {
    signal,
    ...(number === undefined ? {} : { number }),
    ...(reason === undefined ? {} : { reason }),
  };
  const published = await registry.publish(model, arrival.draft, options);
  await arrival.release();
  const { number: given } = published.version;
  if (version.card !== undefined && !published.existed) {
    const selector = { kind: 'version', number: given } as const;
    await registry.update({ name: model, selector }, { card: version.card }, { signal });
  }
  return { item, number: given, added: !published.existed, bytes: arrival.bytes };
}

/** A model that came with the bundle is described as it was there. */
async function describe(
  { isNew, model, bundled: { description, tags } }: BundleModelPlan,
  { registry, signal }: RunBundleOptions,
): Promise<void> {
  if (!isNew || (description === undefined && tags === undefined)) return;
  await registry.updateModel(
    model,
    { ...(description === undefined ? {} : { description }), ...(tags === undefined ? {} : { tags }) },
    { signal },
  );
}

async function moveAliases(
  { model, bundled }: BundleModelPlan,
  here: ReadonlyMap<number, number>,
  { registry, reason, signal }: RunBundleOptions,
): Promise<BundleAlias[]> {
  const moved: BundleAlias[] = [];
  const { aliases } = await registry.model(model, { signal });
  for (const [alias, number] of Object.entries(bundled.aliases)) {
    const [from, to] = [aliases[alias] ?? null, here.get(number)];
    if (to === undefined) continue;
    try {
      if (from !== to)
        await registry.setAlias(model, alias, to, { signal, ...(reason === undefined ? {} : { reason }) });
      moved.push({ model, alias, from, to });
    } catch (error) {
      // The versions stand; who may not move an alias is told which, and somebody who may does it.
      if (!isIngotError(error, 'forbidden', 'refused')) throw error;
      moved.push({ model, alias, from, to, error });
    }
  }
  return moved;
}
