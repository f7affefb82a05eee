import { isIngotError } from './errors.ts';
import type { PromotionEnd, TwoEnds } from './promote-bring.ts';
import { viewOf } from './promote-version.ts';
import type { ModelName } from './ref.ts';
import type { ModelSummary, ModelView, Registry, VersionSlim } from './registry/registry.ts';

/** Tag of a model that came from another registry: from where, and up to which event. */
export const MIRRORED_TAG = 'mirrored.from';

/** What there is to do for a model. */
export interface ModelPlan {
  readonly name: ModelName;
  /** The model where it comes from. */
  readonly source: ModelView;
  /** The model where it goes; undefined: there is none yet. */
  readonly here: ModelView | undefined;
  /** Set where what is there did not come from this model under the same numbers: nothing is brought. */
  readonly conflict?: string;
  /** Oldest first. */
  readonly add: readonly VersionSlim[];
  /** Versions that both have, oldest first. */
  readonly there: readonly VersionSlim[];
  /** Numbers that cannot be given any more, because higher ones are there. */
  readonly left: readonly number[];
}

/** What a plan depends on. */
export interface MirrorPlanOptions extends TwoEnds {
  /** Default: all that may be read. */
  readonly models?: readonly ModelName[] | undefined;
  /** Whether aliases move. Default: true. */
  readonly aliases?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Says how far a model was mirrored when all that it has at a moment was brought. */
export function stampOf(
  { updatedAt }: Pick<ModelSummary, 'updatedAt'>,
  { from, aliases = true }: Pick<MirrorPlanOptions, 'from' | 'aliases'>,
): string {
  return `${from.address} as of ${updatedAt}${aliases ? '' : ', without aliases'}`;
}

/**
 * Lists the models of a registry, and what is said of those of the same names in another. Models that have not changed
 * since they were mirrored are known by their tags: that is one listing of each registry.
 */
export async function changedModels(
  options: MirrorPlanOptions,
): Promise<{ readonly changed: readonly ModelName[]; readonly unchanged: readonly ModelSummary[] }> {
  const { from, to, models, signal } = options;
  const [theirs, ours] = [await listed(from.registry, models, signal), await listedThere(to.registry, models, signal)];
  const tags = new Map(ours.map(({ name, tags: said }) => [name, said[MIRRORED_TAG]]));
  const isKnown = (model: ModelSummary): boolean => tags.get(model.name) === stampOf(model, options);
  return {
    changed: theirs.filter((model) => !isKnown(model)).map(({ name }) => name),
    unchanged: theirs.filter(isKnown),
  };
}

async function listed(
  registry: Registry,
  names: readonly ModelName[] | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly ModelSummary[]> {
  const found: ModelSummary[] = [];
  if (names === undefined) for await (const model of registry.models({ signal })) found.push(model);
  else for (const name of names) found.push(await registry.model(name, { signal }));
  return found;
}

async function listedThere(
  registry: Registry,
  names: readonly ModelName[] | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly ModelSummary[]> {
  if (names === undefined)
    return await listed(registry, names, signal).catch((error: unknown) => {
      // In a dry run there may be no store yet.
      if (isIngotError(error, 'store-not-found')) return [];
      throw error;
    });
  const views = await Promise.all(names.map((name) => viewOf(registry, name, signal)));
  return views.flatMap((view) => view ?? []);
}

/** Compares a model with the one of its name in the other registry. */
export async function planModel(name: ModelName, { from, to, signal }: MirrorPlanOptions): Promise<ModelPlan> {
  const source = await from.registry.model(name, { signal });
  const here = await viewOf(to.registry, name, signal);
  const newest = here?.all[0]?.number ?? 0;
  const [add, there, left]: [VersionSlim[], VersionSlim[], number[]] = [[], [], []];
  const said = { name, source, here, add, there, left };
  if (here !== undefined && newest > 0) {
    const conflict = await otherOrigin({ name, source, here, newest }, { from, to, signal });
    if (conflict !== undefined) return { ...said, conflict };
  }
  const ours = new Map(here?.all.map((version) => [version.number, version]));
  for (const version of [...source.all].reverse()) {
    const own = ours.get(version.number);
    if (version.status === 'deleted' || own?.status === 'deleted') continue;
    if (version.number > newest) add.push(version);
    else if (own?.manifest === version.manifest) there.push(version);
    else left.push(version.number);
  }
  return said;
}

/** Numbers are those of the other registry where the newest version is the same there, or came from there under its own. */
async function otherOrigin(
  { name, source, here, newest }: Pick<ModelPlan, 'name' | 'source'> & { here: ModelView; newest: number },
  { from, to, signal }: { from: PromotionEnd; to: PromotionEnd; signal: AbortSignal | undefined },
): Promise<string | undefined> {
  const theirs = source.all.find(({ number, status }) => number === newest && status !== 'deleted');
  if (theirs !== undefined && theirs.manifest === here.all[0]?.manifest) return undefined;
  const selector = { kind: 'version', number: newest } as const;
  const { lineage } = await to.registry.version({ name: here.name, selector }, { signal });
  const origin = lineage?.origins?.at(-1);
  if (origin?.modelId === source.id && origin.number === newest) return undefined;
  const why =
    origin === undefined
      ? `${name}:${newest} was published there`
      : origin.modelId === source.id
        ? `${name}:${newest} is ${origin.model}:${origin.number} of ${from.address}`
        : `${name}:${newest} came from another model, "${origin.model}" of ${origin.registry}`;
  return `"${name}" of ${to.address} has numbers of its own: ${why}`;
}
