import { open } from 'node:fs/promises';
import type { Datatype, Feature } from '../../signature.ts';
import { type ByteReader, openByteReader } from '../byte-reader.ts';
import { ProtobufError, protobufFields } from '../protobuf.ts';

/** A named function of a SavedModel, with what goes in and comes out. */
export interface SavedSignature {
  /** `serving_default`. */
  readonly key: string;
  readonly inputs: readonly Feature[];
  readonly outputs: readonly Feature[];
}

/** What `saved_model.pb` says. */
export interface SavedModel {
  readonly signatures: readonly SavedSignature[];
  /** Version of TensorFlow that wrote it. */
  readonly version?: string;
}

/** TensorFlow's DataType by number; references (100 and above) are the same types. */
const TYPES: Readonly<Record<number, Datatype>> = {
  1: 'FP32',
  2: 'FP64',
  3: 'INT32',
  4: 'UINT8',
  5: 'INT16',
  6: 'INT8',
  7: 'BYTES',
  9: 'INT64',
  10: 'BOOL',
  17: 'UINT16',
  19: 'FP16',
  22: 'UINT32',
  23: 'UINT64',
};
const OTHERS: Readonly<Record<number, string>> = {
  8: 'COMPLEX64',
  14: 'BF16',
  18: 'COMPLEX128',
  20: 'RESOURCE',
  21: 'VARIANT',
};

const MAX_ENTRIES = 1000;
const MAX_TEXT = 4096;

/** Reads the signatures of a `saved_model.pb`. Graphs are stepped over, so memory stays flat. Undefined: it is malformed. */
export async function readSavedModel(absolute: string): Promise<SavedModel | undefined> {
  const handle = await open(absolute, 'r');
  try {
    const { size } = await handle.stat();
    return await readGraphs(openByteReader(handle, size), size);
  } catch (error) {
    if (error instanceof ProtobufError) return undefined;
    throw error;
  } finally {
    await handle.close();
  }
}

/** The signature that is served: `serving_default`, else the only one; TensorFlow's own `__…` ones are none. */
export function servedSignature({ signatures }: SavedModel): SavedSignature | undefined {
  const own = signatures.filter(({ key }) => !key.startsWith('__'));
  return own.find(({ key }) => key === 'serving_default') ?? (own.length === 1 ? own[0] : undefined);
}

async function readGraphs(reader: ByteReader, end: number): Promise<SavedModel> {
  const signatures: SavedSignature[] = [];
  let version: string | undefined;
  for await (const field of protobufFields(reader, end)) {
    if (field.number !== 2 || field.kind !== 'bytes') continue;
    for await (const part of protobufFields(reader, field.end)) {
      if (part.kind !== 'bytes') continue;
      if (part.number === 1) version ??= await textField(reader, part.end, 5);
      if (part.number === 5 && signatures.length < MAX_ENTRIES) signatures.push(await readEntry(reader, part.end));
    }
  }
  return { signatures, ...(version === undefined ? {} : { version }) };
}

async function readEntry(reader: ByteReader, end: number): Promise<SavedSignature> {
  let key = '';
  let sides: Omit<SavedSignature, 'key'> = { inputs: [], outputs: [] };
  for await (const field of protobufFields(reader, end)) {
    if (field.kind !== 'bytes') continue;
    if (field.number === 1) key = await text(reader, field.sizeBytes);
    if (field.number === 2) sides = await readSides(reader, field.end);
  }
  return { key, ...sides };
}

async function readSides(reader: ByteReader, end: number): Promise<Omit<SavedSignature, 'key'>> {
  const inputs: Feature[] = [];
  const outputs: Feature[] = [];
  for await (const field of protobufFields(reader, end)) {
    if (field.kind !== 'bytes' || field.number > 2) continue;
    const side = field.number === 1 ? inputs : outputs;
    if (side.length < MAX_ENTRIES) side.push(await readTensor(reader, field.end));
  }
  return { inputs: sorted(inputs), outputs: sorted(outputs) };
}

/** A map has no order of its own. */
function sorted(features: readonly Feature[]): readonly Feature[] {
  return [...features].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function readTensor(reader: ByteReader, end: number): Promise<Feature> {
  let name = '';
  let type = 0;
  let shape: readonly number[] | undefined;
  for await (const field of protobufFields(reader, end)) {
    if (field.number === 1 && field.kind === 'bytes') name = await text(reader, field.sizeBytes);
    if (field.number !== 2 || field.kind !== 'bytes') continue;
    for await (const part of protobufFields(reader, field.end)) {
      if (part.number === 2 && part.kind === 'varint') type = Number(part.value) % 100;
      if (part.number === 3 && part.kind === 'bytes') shape = await readShape(reader, part.end);
    }
  }
  const dtype = TYPES[type];
  return {
    name,
    type: 'tensor',
    ...(dtype === undefined ? { format: OTHERS[type] ?? `type ${type}` } : { dtype }),
    ...(shape === undefined ? {} : { shape }),
  };
}

/** Undefined when not even the number of dimensions is known. */
async function readShape(reader: ByteReader, end: number): Promise<readonly number[] | undefined> {
  const shape: number[] = [];
  for await (const field of protobufFields(reader, end)) {
    if (field.number === 3 && field.kind === 'varint' && field.value !== 0n) return undefined;
    if (field.number !== 2 || field.kind !== 'bytes') continue;
    let size = 0;
    for await (const part of protobufFields(reader, field.end))
      if (part.number === 1 && part.kind === 'varint') size = Number(BigInt.asIntN(64, part.value));
    shape.push(size);
  }
  return shape;
}

async function textField(reader: ByteReader, end: number, number: number): Promise<string | undefined> {
  let found: string | undefined;
  for await (const field of protobufFields(reader, end))
    if (field.number === number && field.kind === 'bytes') found = await text(reader, field.sizeBytes);
  return found;
}

async function text(reader: ByteReader, sizeBytes: number): Promise<string> {
  if (sizeBytes > MAX_TEXT) throw new ProtobufError('a name is too long');
  return (await reader.take(sizeBytes)).toString('utf8');
}
