import { IngotError } from '@ingot/core/errors';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { Datatype, Feature } from '@ingot/core/signature';
import { describeValue } from '../describe-value.ts';
import { shapeFits } from '../tensors/shape.ts';
import { isBytes } from '../tensors/to-json.ts';
import { acceptedFor, widen } from '../tensors/widen.ts';
import { datatypeOf, shapeOf } from './datatype.ts';
import { type ExampleSource, exampleRow } from './example-row.ts';
import { type WrongValue, signatureMismatch } from './mismatch.ts';
import { expectedValue, isDatetime } from './value.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Brings protocol tensors to what the model declares: in the signature's order, widened without loss, scalars as
 * `[rows]` (a `[rows, 1]` column is taken too). Without a signature they stay as they are. A single tensor is the input of
 * a model that takes one tensor, whatever its name: frameworks invent these names (`keras_tensor_4`).
 * @throws IngotError `signature-mismatch` with all that disagrees, `invalid-request` when tensors disagree with each other.
 */
export function conformTensors(model: string, source: ExampleSource, given: readonly Tensor[]): readonly Tensor[] {
  const features = source.signature?.inputs ?? [];
  assertDistinct(given);
  const tensors = onlyOne(features, given);
  if (features.length === 0) return tensors;
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const known = new Set(features.map((feature) => feature.name));
  const missing = [...known].filter((name) => !byName.has(name));
  const extra = [...byName.keys()].filter((name) => !known.has(name));
  const wrong: WrongValue[] = [];
  const conformed: Tensor[] = [];
  for (const feature of features) {
    const tensor = byName.get(feature.name);
    const result = tensor === undefined ? undefined : conformOne(feature, tensor);
    if (result === undefined) continue;
    if ('datatype' in result) conformed.push(result);
    else wrong.push(result);
  }
  if (missing.length + extra.length + wrong.length > 0) {
    throw signatureMismatch(model, { missing, extra, wrong }, [...known], exampleRow(source));
  }
  assertSameRows(features, conformed);
  return conformed;
}

function onlyOne(features: readonly Feature[], tensors: readonly Tensor[]): readonly Tensor[] {
  const [feature, ...others] = features;
  const [tensor, ...more] = tensors;
  if (feature?.type !== 'tensor' || tensor === undefined || others.length + more.length > 0) return tensors;
  return tensor.name === feature.name ? tensors : [{ ...tensor, name: feature.name }];
}

function conformOne(feature: Feature, tensor: Tensor): Tensor | WrongValue {
  const datatype = datatypeOf(feature);
  const shape = feature.type === 'tensor' ? tensor.shape : columnShape(tensor.shape);
  if (!shapeFits(shape, shapeOf(feature))) return wrongShape(feature, tensor);
  const gaps =
    datatype !== 'FP64' && feature.nullable === true && feature.type !== 'tensor' && tensor.datatype === 'FP64';
  const widened = gaps ? tensor : widen(tensor, datatype);
  if (widened === undefined) return wrongDatatype(feature, tensor, datatype);
  if (feature.type === 'tensor') return widened;
  return checkValues(feature, { ...widened, shape });
}

function columnShape(shape: readonly number[]): readonly number[] {
  return shape.length === 2 && shape[1] === 1 ? shape.slice(0, 1) : shape;
}

/** Checks what a datatype alone does not say: categories, dates, denied missing values; text becomes strings. */
function checkValues(feature: Feature, tensor: Tensor): Tensor | WrongValue {
  if (!isBytes(tensor.data)) {
    const gap =
      feature.nullable === false && feature.type === 'float'
        ? Array.from(tensor.data, Number).findIndex(Number.isNaN)
        : -1;
    return gap === -1
      ? tensor
      : { feature: feature.name, row: gap, value: 'missing', expected: expectedValue(feature) };
  }
  const allowed =
    feature.type === 'categorical' && feature.categories?.length ? new Set(feature.categories.map(String)) : undefined;
  const texts: (string | null)[] = [];
  for (const [row, element] of tensor.data.entries()) {
    const text = element instanceof Uint8Array ? decoded(element) : element;
    const fits =
      text === null
        ? feature.nullable !== false
        : text !== undefined && (allowed?.has(text) ?? true) && (feature.type !== 'datetime' || isDatetime(text));
    if (!fits || text === undefined) return wrongText(feature, row, text);
    texts.push(text);
  }
  return { ...tensor, data: texts };
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function wrongText(feature: Feature, row: number, text: string | null | undefined): WrongValue {
  const value = text === undefined ? 'no UTF-8 text' : describeValue(text);
  const wrong = { feature: feature.name, row, value, expected: expectedValue(feature) };
  return feature.type === 'categorical' && feature.categories !== undefined
    ? { ...wrong, allowed: feature.categories }
    : wrong;
}

function wrongShape(feature: Feature, tensor: Tensor): WrongValue {
  return {
    feature: feature.name,
    value: `of shape [${tensor.shape.join(', ')}]`,
    expected: `shape [${shapeOf(feature).join(', ')}] (-1 is any size)`,
  };
}

function wrongDatatype(feature: Feature, tensor: Tensor, datatype: Datatype): WrongValue {
  const accepted = acceptedFor(datatype);
  const lossy = accepted.includes(tensor.datatype) ? ' with values that do not fit' : '';
  return { feature: feature.name, value: `of datatype ${tensor.datatype}${lossy}`, expected: accepted.join(' or ') };
}

function assertDistinct(tensors: readonly Tensor[]): void {
  const seen = new Set<string>();
  for (const { name } of tensors) {
    if (seen.has(name)) throw new IngotError('invalid-request', `input "${name}" is given twice`);
    seen.add(name);
  }
}

function assertSameRows(features: readonly Feature[], tensors: readonly Tensor[]): void {
  if (features.some((feature) => feature.type === 'tensor')) return;
  const [first] = tensors;
  const other = tensors.find((tensor) => tensor.shape[0] !== first?.shape[0]);
  if (first !== undefined && other !== undefined) {
    throw new IngotError(
      'invalid-request',
      `input "${first.name}" has ${first.shape[0]} rows, "${other.name}" has ${other.shape[0]}`,
    );
  }
  if (first?.shape[0] === 0) throw new IngotError('invalid-request', 'the inputs hold no rows');
}
