import type { Capture } from '../capture.ts';
import type { Feature, FeatureType, Signature } from '../signature.ts';
import type { Metadata, Problem } from './package.ts';

/** What `metadata.yaml` declares is held against what the data said; its places make errors point at lines. */
export interface Declared {
  readonly metadata?: Metadata;
  readonly file?: string;
  readonly places?: ReadonlyMap<string, { readonly line: number; readonly column: number }>;
}

/** Types of the data that a declared type takes as well: an integer is a float, a category is a string. */
const FITTING: Readonly<Record<FeatureType, readonly FeatureType[]>> = {
  float: ['integer', 'boolean'],
  integer: ['boolean', 'float'],
  boolean: ['integer', 'float'],
  string: ['categorical'],
  categorical: ['string', 'integer', 'boolean', 'float'],
  datetime: ['string'],
  tensor: [],
};

/**
 * Finds where declared inputs and the training data contradict each other: a name that only one of them has, a type that
 * cannot be the other's, values of the data outside what is declared. All of them are errors: one of the two is wrong.
 */
export function findContradictions({ metadata, file, places }: Declared, captured: Capture | undefined): Problem[] {
  const said = captured?.signature;
  const declared = metadata?.inputFeatures ?? [];
  if (!isComparable(said) || declared.length === 0) return [];
  return contradictionsOf(declared, said.inputs).map(({ message, feature }) => {
    const place = places?.get(`input_features.${feature}`) ?? places?.get('input_features');
    return {
      severity: 'error' as const,
      rule: 'signature.contradicts-data',
      message,
      ...(file === undefined ? {} : { file }),
      ...(place === undefined ? {} : { line: place.line, column: place.column }),
      fix: 'correct input_features, or push with the data that the model was trained on',
    };
  });
}

/** A signature that was guessed from an estimator says too little; a tensor stands for all columns at once. */
function isComparable(said: Signature | undefined): said is Signature {
  return said !== undefined && said.inputs.length > 0 && !said.inputs.some(({ type }) => type === 'tensor');
}

interface Contradiction {
  readonly feature: string;
  readonly message: string;
}

function contradictionsOf(declared: readonly Feature[], data: readonly Feature[]): Contradiction[] {
  if (declared.some(({ type }) => type === 'tensor')) return [];
  const found = new Map(data.map((feature) => [feature.name, feature]));
  const names = new Set(declared.map(({ name }) => name));
  return [
    ...declared.flatMap((feature) => {
      const column = found.get(feature.name);
      const message =
        column === undefined ? 'is declared, but the data has no such column' : conflictOf(feature, column);
      return message === undefined ? [] : [{ feature: feature.name, message: `input ${feature.name} ${message}` }];
    }),
    ...data
      .filter(({ name }) => !names.has(name))
      .map(({ name }) => ({ feature: name, message: `column ${name} of the data is not declared` })),
  ];
}

function conflictOf(declared: Feature, data: Feature): string | undefined {
  if (declared.type !== data.type && !FITTING[declared.type].includes(data.type)) {
    return `is declared as ${declared.type}, the data has ${data.type}`;
  }
  if (declared.nullable === false && data.nullable === true) return 'may not be missing, but is missing in the data';
  const allowed = declared.categories?.map(String);
  const others = allowed && data.categories?.filter((value) => !allowed.includes(String(value)));
  if (others !== undefined && others.length > 0)
    return `does not allow ${others.slice(0, 5).join(', ')}, which the data has`;
  if (declared.min !== undefined && data.min !== undefined && data.min < declared.min)
    return `is declared from ${declared.min}, the data goes down to ${data.min}`;
  if (declared.max !== undefined && data.max !== undefined && data.max > declared.max)
    return `is declared to ${declared.max}, the data goes up to ${data.max}`;
  return undefined;
}
