import { open } from 'node:fs/promises';
import type { Datatype, Feature, Signature } from '../signature.ts';
import { type ByteReader, openByteReader } from './byte-reader.ts';
import type { Problem } from './package.ts';
import { ProtobufError, protobufFields } from './protobuf.ts';

/** What an ONNX graph says of itself. */
export interface OnnxGraph {
  readonly irVersion?: number;
  /** `skl2onnx 1.19.1`. */
  readonly producer?: string;
  /** Operator set version by domain; the default domain is `ai.onnx`. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Paths of external data files, relative to the model. */
  readonly externalData: readonly string[];
  readonly signature: Signature;
}

/** ONNX's TensorProto.DataType by number. */
const ELEMENT_TYPES: Readonly<Record<number, Datatype>> = {
  1: 'FP32',
  2: 'UINT8',
  3: 'INT8',
  4: 'UINT16',
  5: 'INT16',
  6: 'INT32',
  7: 'INT64',
  8: 'BYTES',
  9: 'BOOL',
  10: 'FP16',
  11: 'FP64',
  12: 'UINT32',
  13: 'UINT64',
};
const OTHER_ELEMENTS: Readonly<Record<number, string>> = {
  14: 'COMPLEX64',
  15: 'COMPLEX128',
  16: 'BF16',
  17: 'FP8',
  18: 'FP8',
  19: 'FP8',
  20: 'FP8',
  21: 'UINT4',
  22: 'INT4',
};

const MAX_NAMES = 1_000_000;
const MAX_VALUES = 10_000;
const MAX_DEPTH = 16;

interface Value {
  readonly name: string;
  readonly type?: ValueType;
}

interface ValueType {
  readonly dtype?: Datatype;
  readonly shape?: readonly number[];
  /** How a value that is no plain tensor is called: `sequence(map(INT64, FP32))`. */
  readonly other?: string;
}

/**
 * Reads inputs, outputs, operator sets and producer from an ONNX file. Weights are stepped over, so memory stays flat.
 * Initializers are not inputs. A value that is no tensor of a V2 datatype (ZipMap's maps, sequences, BF16) becomes a
 * `tensor` feature without dtype whose `format` names what it is. A malformed file gives a problem.
 */
export async function readOnnx(
  absolute: string,
  file: string,
): Promise<{ readonly graph?: OnnxGraph; readonly problems: readonly Problem[] }> {
  const handle = await open(absolute, 'r');
  try {
    const { size } = await handle.stat();
    const model = await readModel(openByteReader(handle, size), size);
    return { graph: model, problems: warnings(model, file) };
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    return {
      problems: [
        {
          severity: 'error',
          rule: 'onnx.malformed',
          message: `${file} is not an ONNX model: ${error.message}`,
          file,
          fix: 'export the model again; check it with: python -c "import onnx; onnx.checker.check_model(…)"',
        },
      ],
    };
  } finally {
    await handle.close();
  }
}

function warnings(model: OnnxGraph, file: string): Problem[] {
  return model.signature.outputs.flatMap(({ name, dtype, format }): Problem[] =>
    dtype !== undefined
      ? []
      : [
          {
            severity: 'warning',
            rule: 'onnx.not-a-tensor',
            message: `the output "${name}" is ${format ?? 'of an unknown type'}, which not every runtime can return`,
            file,
            ...(format?.includes('map(') === true ? { fix: 'export with the option zipmap=False' } : {}),
          },
        ],
  );
}

async function readModel(reader: ByteReader, end: number): Promise<OnnxGraph> {
  const texts = new Map<number, string>();
  const opsets: Record<string, number> = {};
  let irVersion: number | undefined;
  let graph: Graph | undefined;
  for await (const field of protobufFields(reader, end)) {
    if (field.kind === 'varint' && field.number === 1) irVersion = Number(field.value);
    if (field.kind !== 'bytes') continue;
    if (field.number === 2 || field.number === 3) texts.set(field.number, await readText(reader, field.end));
    if (field.number === 7) graph = await readGraph(reader, field.end);
    if (field.number === 8) Object.assign(opsets, await readOpset(reader, field.end));
  }
  if (graph === undefined) throw new ProtobufError('it holds no graph');
  if (graph.inputs.length + graph.outputs.length === 0)
    throw new ProtobufError('its graph has no inputs and no outputs');
  const { initializers } = graph;
  const producer = [texts.get(2), texts.get(3)].filter((text) => text !== undefined && text !== '').join(' ');
  return {
    irVersion,
    ...(producer === '' ? {} : { producer }),
    opsets,
    externalData: [...graph.externalData].sort(),
    signature: {
      inputs: graph.inputs.filter(({ name }) => !initializers.has(name)).map(toFeature),
      outputs: graph.outputs.map(toFeature),
      origin: 'graph',
    },
  };
}

interface Graph {
  readonly inputs: Value[];
  readonly outputs: Value[];
  readonly initializers: Set<string>;
  readonly externalData: Set<string>;
}

async function readGraph(reader: ByteReader, end: number): Promise<Graph> {
  const graph: Graph = { inputs: [], outputs: [], initializers: new Set(), externalData: new Set() };
  for await (const field of protobufFields(reader, end)) {
    if (field.kind !== 'bytes') continue;
    if (field.number === 5) await readInitializer(reader, field.end, graph);
    if (field.number === 11) graph.inputs.push(await readValue(reader, field.end));
    if (field.number === 12) graph.outputs.push(await readValue(reader, field.end));
    if (field.number === 15) await readSparseInitializer(reader, field.end, graph);
    if (graph.inputs.length + graph.outputs.length > MAX_VALUES)
      throw new ProtobufError(`its graph has more than ${MAX_VALUES} inputs and outputs`);
    if (graph.initializers.size > MAX_NAMES)
      throw new ProtobufError(`its graph has more than ${MAX_NAMES} initializers`);
  }
  return graph;
}

async function readInitializer(reader: ByteReader, end: number, graph: Graph): Promise<void> {
  for await (const field of protobufFields(reader, end)) {
    if (field.kind !== 'bytes') continue;
    if (field.number === 8) graph.initializers.add(await readText(reader, field.end));
    if (field.number === 13) {
      const [key, value] = await readPair(reader, field.end);
      if (key === 'location') graph.externalData.add(value);
    }
  }
}

async function readSparseInitializer(reader: ByteReader, end: number, graph: Graph): Promise<void> {
  for await (const field of protobufFields(reader, end)) {
    if (field.kind === 'bytes' && field.number === 1) await readInitializer(reader, field.end, graph);
  }
}

async function readPair(reader: ByteReader, end: number): Promise<readonly [string, string]> {
  const texts = new Map<number, string>();
  for await (const field of protobufFields(reader, end)) {
    if (field.kind === 'bytes') texts.set(field.number, await readText(reader, field.end));
  }
  return [texts.get(1) ?? '', texts.get(2) ?? ''];
}

async function readOpset(reader: ByteReader, end: number): Promise<Record<string, number>> {
  let domain = '';
  let version = 0;
  for await (const field of protobufFields(reader, end)) {
    if (field.kind === 'bytes' && field.number === 1) domain = await readText(reader, field.end);
    if (field.kind === 'varint' && field.number === 2) version = Number(field.value);
  }
  return { [domain === '' ? 'ai.onnx' : domain]: version };
}

async function readValue(reader: ByteReader, end: number): Promise<Value> {
  let name = '';
  let type: ValueType | undefined;
  for await (const field of protobufFields(reader, end)) {
    if (field.kind !== 'bytes') continue;
    if (field.number === 1) name = await readText(reader, field.end);
    if (field.number === 2) type = await readType(reader, field.end, 0);
  }
  return { name, ...(type === undefined ? {} : { type }) };
}

async function readType(reader: ByteReader, end: number, depth: number): Promise<ValueType | undefined> {
  if (depth > MAX_DEPTH) throw new ProtobufError('a type nests too deeply');
  let type: ValueType | undefined;
  for await (const field of protobufFields(reader, end)) {
    if (field.kind !== 'bytes') continue;
    if (field.number === 1) type = await readTensorType(reader, field.end);
    if (field.number === 8) type = { other: 'sparse tensor' };
    if (field.number === 4) type = { other: `sequence(${await readElement(reader, field.end, depth, 1)})` };
    if (field.number === 5) type = { other: await readMapType(reader, field.end, depth) };
    if (field.number === 9) type = { other: `optional(${await readElement(reader, field.end, depth, 1)})` };
  }
  return type;
}

async function readElement(reader: ByteReader, end: number, depth: number, number: number): Promise<string> {
  let name = 'unknown';
  for await (const field of protobufFields(reader, end)) {
    if (field.kind === 'bytes' && field.number === number)
      name = typeName(await readType(reader, field.end, depth + 1));
  }
  return name;
}

async function readMapType(reader: ByteReader, end: number, depth: number): Promise<string> {
  let key = 'unknown';
  let value = 'unknown';
  for await (const field of protobufFields(reader, end)) {
    if (field.kind === 'varint' && field.number === 1) key = elementName(Number(field.value));
    if (field.kind === 'bytes' && field.number === 2) value = typeName(await readType(reader, field.end, depth + 1));
  }
  return `map(${key}, ${value})`;
}

async function readTensorType(reader: ByteReader, end: number): Promise<ValueType> {
  let element = 0;
  let shape: number[] | undefined;
  for await (const field of protobufFields(reader, end)) {
    if (field.kind === 'varint' && field.number === 1) element = Number(field.value);
    if (field.kind === 'bytes' && field.number === 2) shape = await readShape(reader, field.end);
  }
  const dtype = ELEMENT_TYPES[element];
  return {
    ...(dtype === undefined ? { other: `tensor of ${elementName(element)}` } : { dtype }),
    ...(shape === undefined ? {} : { shape }),
  };
}

/** Dimensions; a named or negative one becomes -1. */
async function readShape(reader: ByteReader, end: number): Promise<number[]> {
  const shape: number[] = [];
  for await (const field of protobufFields(reader, end)) {
    if (field.kind !== 'bytes' || field.number !== 1) continue;
    let dimension = -1;
    for await (const part of protobufFields(reader, field.end)) {
      if (part.kind === 'varint' && part.number === 1) dimension = Number(BigInt.asIntN(64, part.value));
    }
    shape.push(Number.isSafeInteger(dimension) && dimension >= 0 ? dimension : -1);
    if (shape.length > 64) throw new ProtobufError('a tensor has more than 64 dimensions');
  }
  return shape;
}

async function readText(reader: ByteReader, end: number): Promise<string> {
  const length = end - reader.position();
  if (length > 64 * 1024) throw new ProtobufError('a name is longer than 64 KiB');
  const bytes = await reader.take(length);
  if (bytes.length !== length) throw new ProtobufError('it ends in the middle of a name');
  return bytes.toString('utf8');
}

function elementName(element: number): string {
  return ELEMENT_TYPES[element] ?? OTHER_ELEMENTS[element] ?? `type ${element}`;
}

function typeName(type: ValueType | undefined): string {
  return type?.other ?? type?.dtype ?? 'unknown';
}

function toFeature({ name, type }: Value): Feature {
  return {
    name,
    type: 'tensor',
    ...(type?.dtype === undefined ? {} : { dtype: type.dtype }),
    ...(type?.shape === undefined ? {} : { shape: type.shape }),
    ...(type?.dtype === undefined ? { format: type?.other ?? 'of an unknown type' } : {}),
  };
}
