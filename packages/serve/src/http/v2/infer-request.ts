import { IngotError } from '@ingot/core/errors';
import { type JsonObject, isJsonObject } from '@ingot/core/json';
import { nearest } from '@ingot/core/nearest';
import { DATATYPES, type Datatype } from '@ingot/core/signature';
import type { Tensor } from '@ingot/core/serving/tensor';
import { describeValue } from '../describe-value.ts';
import { checkedMethod } from '../prediction.ts';
import { tensorFromBinary } from '../tensors/binary.ts';
import { tensorFromJson } from '../tensors/from-json.ts';
import { elementCount } from '../tensors/shape.ts';
import { isBytes } from '../tensors/to-json.ts';

/** An output that the client asked for by name. */
export interface RequestedOutput {
  readonly name: string;
  readonly binary: boolean;
}

/** A decoded inference request. */
export interface InferRequest {
  readonly id?: string;
  readonly inputs: readonly Tensor[];
  /** Undefined: all of them. */
  readonly outputs?: readonly RequestedOutput[];
  /** Whether outputs that were not named go out in binary. */
  readonly binary: boolean;
  readonly method?: string;
}

/**
 * Decodes the JSON part of an inference request together with the raw tensors behind it.
 * @throws IngotError `invalid-request` when it contradicts itself.
 */
export function decodeInferRequest(value: unknown, raw: Buffer): InferRequest {
  if (!isJsonObject(value)) throw invalid(`the request is ${describeValue(value)}, not an object with "inputs"`);
  const { id, inputs, outputs } = value;
  const parameters = parametersOf(value, 'the request');
  if (id !== undefined && typeof id !== 'string') throw invalid('"id" must be text');
  if (!Array.isArray(inputs) || inputs.length === 0) throw invalid('"inputs" must be a list of at least one tensor');
  const binary = parameters.binary_data_output === true;
  const method = checkedMethod(parameters.method);
  return {
    inputs: decodeInputs(inputs, raw),
    binary,
    ...(id === undefined ? {} : { id }),
    ...(outputs === undefined ? {} : { outputs: decodeOutputs(outputs, binary) }),
    ...(method === undefined ? {} : { method }),
  };
}

function decodeInputs(inputs: readonly unknown[], raw: Buffer): Tensor[] {
  let offset = 0;
  const tensors = inputs.map((input) => {
    const { name, parameters, ...rest } = header(input);
    const size = parameters.binary_data_size;
    if (parameters.shared_memory_region !== undefined)
      throw invalid(`input "${name}" lies in shared memory, which is not supported; send its data`);
    if (size === undefined) {
      const tensor = tensorFromJson(name, rest.datatype, rest.shape, rest.count, rest.data);
      return parameters.content_type === 'base64' ? fromBase64(tensor) : tensor;
    }
    if (rest.data !== undefined) throw invalid(`input "${name}" has both "data" and "binary_data_size"`);
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw invalid(`input "${name}" has a "binary_data_size" of ${describeValue(size)}`);
    if (offset + size > raw.length)
      throw invalid(`input "${name}" announces ${size} bytes behind the JSON, ${raw.length - offset} are there`);
    offset += size;
    return tensorFromBinary(name, rest.datatype, rest.shape, rest.count, raw.subarray(offset - size, offset));
  });
  if (offset !== raw.length) throw invalid(`${raw.length - offset} bytes behind the JSON belong to no input`);
  return tensors;
}

/** Undoes what the server does itself for BYTES that are no text. */
function fromBase64(tensor: Tensor): Tensor {
  if (!isBytes(tensor.data)) return tensor;
  const data = tensor.data.map((element, index) => {
    if (typeof element !== 'string') return element;
    const bytes = Buffer.from(element, 'base64');
    if (bytes.toString('base64').replace(/=+$/, '') === element.replace(/=+$/, '')) return bytes;
    throw invalid(`input "${tensor.name}" holds ${describeValue(element)} at index ${index}, which is no base64`);
  });
  return { ...tensor, data };
}

interface InputHeader {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly count: number;
  readonly parameters: JsonObject;
  readonly data: unknown;
}

function header(input: unknown): InputHeader {
  if (!isJsonObject(input) || typeof input.name !== 'string')
    throw invalid(`an input is ${describeValue(input)}, not an object with "name"`);
  const { name, shape, data } = input;
  const count = elementCount(shape, name);
  return {
    name,
    datatype: datatypeFrom(name, input.datatype),
    shape: Array.isArray(shape) ? shape : [],
    count,
    parameters: parametersOf(input, `input "${name}"`),
    data,
  };
}

function datatypeFrom(name: string, value: unknown): Datatype {
  const known = DATATYPES.find((datatype) => datatype === value);
  if (known !== undefined) return known;
  const near = typeof value === 'string' ? nearest(value, DATATYPES) : undefined;
  throw new IngotError(
    'invalid-request',
    `input "${name}" has the unknown datatype ${describeValue(value)}; known are ${DATATYPES.join(', ')}`,
    near === undefined ? {} : { nearest: near },
  );
}

function decodeOutputs(outputs: unknown, binary: boolean): readonly RequestedOutput[] {
  if (!Array.isArray(outputs)) throw invalid('"outputs" must be a list');
  return outputs.map((output: unknown) => {
    if (!isJsonObject(output) || typeof output.name !== 'string')
      throw invalid(`a requested output is ${describeValue(output)}, not an object with "name"`);
    const parameters = parametersOf(output, `output "${output.name}"`);
    if (parameters.shared_memory_region !== undefined)
      throw invalid(`output "${output.name}" asks for shared memory, which is not supported`);
    if (typeof parameters.classification === 'number' && parameters.classification > 0)
      throw invalid(`output "${output.name}" asks for "classification", which is not supported`);
    return { name: output.name, binary: typeof parameters.binary_data === 'boolean' ? parameters.binary_data : binary };
  });
}

function parametersOf(holder: JsonObject, what: string): JsonObject {
  const { parameters } = holder;
  if (parameters === undefined || parameters === null) return {};
  if (!isJsonObject(parameters)) throw invalid(`the "parameters" of ${what} must be an object`);
  return parameters;
}

function invalid(message: string): IngotError {
  return new IngotError('invalid-request', message);
}
