import { isIngotError } from './errors.ts';
import { digestsOf, readText } from './import-files.ts';
import type { ImportItem, ModelPlan } from './import-plan.ts';
import type { ImportOutcome } from './import.ts';
import type { PackagePlan } from './package/package.ts';
import { type ModelName, parseAlias } from './ref.ts';
import type { Pointer } from './source/find-units.ts';
import { withoutExtension } from './source/choose.ts';
import type { SourceReader } from './source-reader.ts';

/** A pointer that people keep beside their versions, and the alias it becomes. */
export interface PointerPlan {
  readonly path: string;
  /** Undefined where none can be made of it; `reason` says why. */
  readonly alias?: string;
  readonly model?: ModelName;
  readonly reason?: string;
  /** The number of the version it points at; undefined when it is none of them. */
  target(
    outcomes: readonly ImportOutcome[],
    read: ReadonlyMap<ImportItem, PackagePlan>,
    reader: SourceReader,
    signal?: AbortSignal,
  ): Promise<number | undefined>;
}

/** Says what becomes of pointers: an alias where the model is unmistakable. `latest` needs none, for it moves by itself. */
export function pointersOf(
  pointers: readonly Pointer[],
  models: readonly ModelPlan[],
  given: ModelName | undefined,
): PointerPlan[] {
  return pointers.map((pointer) => {
    const { path, alias } = pointer;
    const plan: Pick<PointerPlan, 'path' | 'target'> = {
      path,
      target: (outcomes, read, reader, signal) => targetOf(pointer, model, outcomes, read, reader, signal),
    };
    const model = given ?? modelOf(pointer, models);
    if (model === undefined) return { ...plan, reason: 'nothing says which model it belongs to' };
    if (!canBeAlias(alias)) return { ...plan, reason: `${model}:${alias} is always the newest version` };
    return { ...plan, alias, model };
  });
}

/** The model that its names say, else the only one whose versions lie beside it. */
function modelOf({ model, path }: Pointer, models: readonly ModelPlan[]): ModelName | undefined {
  if (models.length === 1) return models[0]?.model;
  if (models.some((one) => one.model === model)) return model;
  const directory = path.slice(0, path.lastIndexOf('/') + 1);
  const beside = models.filter(({ items }) => items.some(({ match }) => match.path.startsWith(directory)));
  return beside.length === 1 ? beside[0]?.model : undefined;
}

function canBeAlias(text: string): boolean {
  if (text === 'newest') return false;
  try {
    parseAlias(text);
    return true;
  } catch (error) {
    if (isIngotError(error, 'invalid-name')) return false;
    throw error;
  }
}

async function targetOf(
  pointer: Pointer,
  model: ModelName | undefined,
  outcomes: readonly ImportOutcome[],
  read: ReadonlyMap<ImportItem, PackagePlan>,
  reader: SourceReader,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const own = outcomes.filter((outcome) => outcome.model === model && outcome.number !== undefined);
  const [first] = own;
  if (first === undefined) return undefined;
  const { address } = first.item.match;
  const place = await reader.place(address);
  const link = await place.linkTarget?.(pointer.path);
  const text = pointer.isText ? await readText(place, pointer.path, { signal }) : undefined;
  const said = link ?? text?.trim();
  if (said !== undefined) return own.find((outcome) => isNamed(outcome, said))?.number;
  const sizes = sortedSizes(pointer.files.map((file) => file.sizeBytes));
  const alike = own.filter(({ item }) => sortedSizes(item.match.files.map((file) => file.sizeBytes)) === sizes);
  const wanted = alike.length === 0 ? undefined : await digestsOf(place, pointer.files, { signal });
  for (const outcome of alike.reverse()) {
    const plan = read.get(outcome.item);
    const digests =
      plan === undefined
        ? await digestsOf(place, outcome.item.match.files, { signal })
        : plan.files.map(({ digest }) => digest);
    if ([...digests].sort().join() === wanted?.sort().join()) return outcome.number;
  }
  return undefined;
}

/** `v3`, `3`, `churn_v3.pkl`, `./v3/` and a whole path name the same version. */
function isNamed({ item, number, label }: ImportOutcome, said: string): boolean {
  const name = said.replace(/\/+$/, '').split('/').at(-1) ?? said;
  const own = item.match.path.split('/').at(-1) ?? '';
  const names = [own, withoutExtension(own), item.match.version.text, `v${item.match.version.text}`, label];
  return (
    names.includes(name) || (number !== undefined && item.match.version.number === number && name === String(number))
  );
}

function sortedSizes(sizes: readonly number[]): string {
  return [...sizes].sort((a, b) => a - b).join();
}
