import type { JsonObject, JsonValue } from '@ingot/core/json';
import type { Feature, Signature } from '@ingot/core/signature';
import { mayBeMissing } from '../signature/value.ts';

/** JSON Schema of one row of a model's input. Without a signature: any object. */
export function rowSchema(signature: Signature | undefined): JsonObject {
  const features = signature?.inputs ?? [];
  if (features.length === 0) return { type: 'object', description: 'The model does not say which features it takes.' };
  return {
    type: 'object',
    properties: Object.fromEntries(
      features.map((feature) => [feature.name, featureSchema(feature, mayBeMissing(feature))]),
    ),
    required: features.map((feature) => feature.name),
    additionalProperties: false,
  };
}

/** JSON Schema of one prediction: a scalar for one output, an object for several, anything when nobody said. */
export function predictionSchema(signature: Signature | undefined): JsonObject {
  const outputs = signature?.outputs ?? [];
  const [only] = outputs;
  if (only === undefined) return {};
  if (outputs.length === 1) return featureSchema(only, true);
  return {
    type: 'object',
    properties: Object.fromEntries(outputs.map((output) => [output.name, featureSchema(output, true)])),
  };
}

const TYPES = {
  float: 'number',
  integer: 'integer',
  boolean: 'boolean',
  string: 'string',
  datetime: 'string',
} as const;

/** JSON Schema of one feature's value. */
export function featureSchema(feature: Feature, nullable: boolean): JsonObject {
  const about: JsonObject = {
    ...(feature.description === undefined ? {} : { description: feature.description }),
    ...(feature.format === undefined ? {} : { 'x-format': feature.format }),
    ...(feature.classes === undefined ? {} : { 'x-classes': feature.classes }),
  };
  if (feature.type === 'tensor') return { ...tensorSchema(feature), ...about };
  if (feature.type === 'categorical') return { ...categorySchema(feature, nullable), ...about };
  const type = TYPES[feature.type];
  return {
    type: nullable ? [type, 'null'] : type,
    ...(feature.type === 'datetime' ? { format: 'date-time' } : {}),
    ...(feature.min === undefined && feature.max === undefined
      ? {}
      : { 'x-range': [feature.min ?? null, feature.max ?? null] }),
    ...about,
  };
}

function categorySchema(feature: Feature, nullable: boolean): JsonObject {
  const categories = feature.categories ?? [];
  if (categories.length === 0) return { type: nullable ? ['string', 'null'] : 'string' };
  return { enum: nullable ? [...categories, null] : categories };
}

function tensorSchema(feature: Feature): JsonObject {
  const kind = feature.dtype ?? 'FP64';
  const element: JsonObject = {
    type:
      kind === 'BYTES'
        ? 'string'
        : kind === 'BOOL'
          ? 'boolean'
          : kind.startsWith('FP')
            ? ['number', 'null']
            : 'integer',
  };
  return (feature.shape ?? [-1])
    .slice(1)
    .reduceRight<JsonObject>((items, size) => ({ type: 'array', items, ...lengthOf(size) }), element);
}

function lengthOf(size: number): { readonly [key: string]: JsonValue } {
  return size === -1 ? {} : { minItems: size, maxItems: size };
}
