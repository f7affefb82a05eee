import type { Feature, Signature } from '@ingot/core/signature';

/** A feature that two signatures describe differently. */
export interface FeatureChange {
  readonly name: string;
  readonly a: Feature;
  readonly b: Feature;
}

/** How one side (inputs or outputs) differs. */
export interface SideDifference {
  readonly added: readonly Feature[];
  readonly removed: readonly Feature[];
  readonly changed: readonly FeatureChange[];
}

/** How two signatures differ, and which differences break a caller of A that is answered by B. */
export interface SignatureDifference {
  readonly inputs: SideDifference;
  readonly outputs: SideDifference;
  readonly breaks: readonly string[];
}

/** Compares signatures as a caller sees them: who sends what A takes, must be answered by B in the form A answers. */
export function compareSignatures(a: Signature, b: Signature): SignatureDifference {
  const inputs = compareSides(a.inputs, b.inputs);
  const outputs = compareSides(a.outputs, b.outputs);
  return { inputs, outputs, breaks: [...inputBreaks(inputs), ...outputBreaks(a, b, outputs)] };
}

function compareSides(a: readonly Feature[], b: readonly Feature[]): SideDifference {
  const [before, after] = [byName(a), byName(b)];
  return {
    added: b.filter((feature) => !before.has(feature.name)),
    removed: a.filter((feature) => !after.has(feature.name)),
    changed: a.flatMap((feature) => {
      const other = after.get(feature.name);
      return other === undefined || essence(feature) === essence(other)
        ? []
        : [{ name: feature.name, a: feature, b: other }];
    }),
  };
}

function byName(features: readonly Feature[]): ReadonlyMap<string, Feature> {
  return new Map(features.map((feature) => [feature.name, feature]));
}

/** What callers depend on; descriptions and ranges are not. */
function essence({ type, dtype, shape, categories, nullable, timezone, classes }: Feature): string {
  return JSON.stringify([type, dtype, shape, categories, nullable, timezone, classes]);
}

function inputBreaks(difference: SideDifference): string[] {
  return [
    ...difference.added
      .filter((feature) => feature.nullable !== true)
      .map((feature) => `input ${feature.name} is new: callers do not send it`),
    ...difference.removed.map((feature) => `input ${feature.name} is gone: callers send it`),
    ...difference.changed.flatMap(inputChangeBreaks),
  ];
}

function inputChangeBreaks({ name, a, b }: FeatureChange): string[] {
  const breaks: string[] = [];
  if (!acceptsType(a, b)) breaks.push(`input ${name} was ${typeText(a)} and is ${typeText(b)}`);
  const lost = (a.categories ?? []).filter(
    (category) => b.categories !== undefined && !b.categories.includes(category),
  );
  if (lost.length > 0) breaks.push(`input ${name} no longer takes ${lost.join(', ')}`);
  if (b.nullable === false && a.nullable !== false) breaks.push(`input ${name} may no longer be missing`);
  return breaks;
}

/** Whether what fits A fits B: the same type, or one that holds more. */
function acceptsType(a: Feature, b: Feature): boolean {
  if (a.type !== b.type)
    return (a.type === 'integer' && b.type === 'float') || (a.type === 'categorical' && b.type === 'string');
  return a.type !== 'tensor' || (a.dtype === b.dtype && acceptsShape(a.shape, b.shape));
}

function acceptsShape(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  return a.length === b.length && b.every((size, index) => size === -1 || size === a[index]);
}

function outputBreaks(a: Signature, b: Signature, difference: SideDifference): string[] {
  const breaks = [
    ...difference.removed.map((feature) => `output ${feature.name} is gone`),
    ...difference.changed
      .filter(({ a: before, b: after }) => !acceptsType(after, before))
      .map(({ name, a: before, b: after }) => `output ${name} was ${typeText(before)} and is ${typeText(after)}`),
    ...difference.changed
      .filter(({ a: before, b: after }) => JSON.stringify(before.classes) !== JSON.stringify(after.classes))
      .map(({ name }) => `output ${name} has other classes`),
  ];
  if (a.outputs.length === 1 && b.outputs.length > 1) breaks.push('a prediction was one value and is an object');
  return breaks;
}

/** Writes a feature's type: `float`, `tensor FP32 [-1, 4]`. */
export function typeText(feature: Feature): string {
  if (feature.type !== 'tensor') return feature.type;
  const shape = feature.shape === undefined ? '' : ` [${feature.shape.join(', ')}]`;
  return `tensor${feature.dtype === undefined ? '' : ` ${feature.dtype}`}${shape}`;
}
