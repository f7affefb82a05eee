import type { Feature, Signature } from './signature.ts';

/** What types are declared for. */
export interface TypedModel {
  /** `team/churn`. */
  readonly model: string;
  /** The version whose signature it is. */
  readonly number: number;
  readonly signature: Signature;
}

/**
 * Writes TypeScript declarations of a model's input row and its output: what may be asked and what comes back.
 * Categories and classes are unions; a value that may be missing may be null. Names are those of the model in
 * PascalCase: `ChurnInput`, `ChurnOutput`.
 *
 * @example
 * declareTypes({ model: 'churn', number: 7, signature }); // 'export interface ChurnInput { … }'
 */
export function declareTypes({ model, number, signature }: TypedModel): string {
  const name = pascalCase(model);
  const partial = signature.partial === true ? ' Only part of the signature is known.' : '';
  return [
    `/** One input row of ${model}:${number}.${partial} */`,
    `export interface ${name}Input {`,
    ...signature.inputs.flatMap((feature) => property(feature, inputType(feature))),
    '}',
    '',
    `/** What ${model}:${number} answers to one row. */`,
    ...outputLines(name, signature.outputs),
    '',
  ].join('\n');
}

function outputLines(name: string, outputs: readonly Feature[]): readonly string[] {
  const [only, ...others] = outputs;
  if (only === undefined) return [`export type ${name}Output = unknown;`];
  if (others.length === 0) return [`export type ${name}Output = ${withNull(only, outputType(only))};`];
  const properties = outputs.flatMap((feature) => property(feature, outputType(feature)));
  return [`export interface ${name}Output {`, ...properties, '}'];
}

function property(feature: Feature, type: string): readonly string[] {
  const about = aboutOf(feature);
  const line = `  readonly ${keyOf(feature.name)}: ${withNull(feature, type)};`;
  return about === '' ? [line] : [`  /** ${about} */`, line];
}

function aboutOf({ description, min, max, timezone }: Feature): string {
  const range = min === undefined && max === undefined ? '' : `From ${min ?? '-∞'} to ${max ?? '∞'}.`;
  const zone = timezone === undefined ? '' : `Times without an offset are in ${timezone}.`;
  const text = [description ?? '', range, zone].filter((part) => part !== '').join(' ');
  // Whatever a description says, it stays a comment.
  return text.replaceAll('*/', '* /').replace(/\s+/g, ' ').slice(0, 300);
}

function withNull({ nullable }: Feature, type: string): string {
  return nullable === true ? `${type} | null` : type;
}

function inputType(feature: Feature): string {
  const { type, categories, shape } = feature;
  if (categories !== undefined && categories.length > 0) return unionOf(categories);
  switch (type) {
    case 'float':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'string':
    case 'categorical':
    case 'datetime':
      return 'string';
    case 'tensor':
      return tensorOf(feature.dtype, (shape?.length ?? 2) - 1);
  }
}

function outputType(feature: Feature): string {
  const { classes } = feature;
  return classes !== undefined && classes.length > 0 && feature.type === 'categorical'
    ? unionOf(classes)
    : inputType(feature);
}

/** The first dimension is the batch: a row has one less. */
function tensorOf(dtype: Feature['dtype'], dimensions: number): string {
  const element = dtype === 'BOOL' ? 'boolean' : dtype === 'BYTES' ? 'string' : 'number';
  return `${'readonly '.repeat(dimensions > 0 ? 1 : 0)}${element}${'[]'.repeat(Math.max(0, dimensions))}`;
}

function unionOf(values: readonly (string | number | boolean)[]): string {
  return [...new Set(values.map((value) => JSON.stringify(value)))].join(' | ');
}

function keyOf(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

function pascalCase(model: string): string {
  const words = model.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const joined = words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('');
  return /^\d/.test(joined) ? `Model${joined}` : joined;
}
