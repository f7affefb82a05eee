import { IngotError } from '@ingot/core/errors';
import type { BytesData, NumericData, Tensor } from '@ingot/core/serving/tensor';
import type { Datatype, Feature, Signature } from '@ingot/core/signature';
import { convertData, copyInto, emptyArray } from './datatypes.ts';

/** An input or output of a graph; -1 is a variable dimension. */
export interface GraphValue {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** What is fed to one input of the graph. */
export interface Feed {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: NumericData | BytesData;
}

/** Turns a request's tensors into what the graph is fed. */
export type BindInputs = (inputs: readonly Tensor[]) => readonly Feed[];

/**
 * Decides once, when a model is loaded, how requests become feeds: each declared input is an input of the graph, or all
 * declared features are the columns of the graph's only input.
 * @throws IngotError `invalid-package` when the declared inputs fit neither way.
 */
export function bindInputs(graph: readonly GraphValue[], signature: Signature): BindInputs {
  const declared = new Map(signature.inputs.map((feature) => [feature.name, feature]));
  if (graph.length === declared.size && graph.every(({ name }) => declared.has(name))) return byName(graph);
  const [only] = graph;
  if (only !== undefined && graph.length === 1) {
    const [feature] = signature.inputs;
    const alone = signature.inputs.length === 1 ? feature : undefined;
    if (alone !== undefined && (alone.type === 'tensor' || only.shape.length === 1)) return renamed(only, alone.name);
    if (packs(only, signature.inputs)) return packed(only, signature.inputs);
  }
  throw new IngotError(
    'invalid-package',
    `the graph takes ${described(graph)}, but the package declares ${signature.inputs.length} inputs: ` +
      signature.inputs
        .map(({ name }) => name)
        .slice(0, 10)
        .join(', '),
    { hint: 'declare one input_features entry a column in the order of training, or none to take what the graph says' },
  );
}

function described(graph: readonly GraphValue[]): string {
  return graph.map(({ name, datatype, shape }) => `${name} ${datatype}[${shape.join(',')}]`).join(', ');
}

function packs({ datatype, shape }: GraphValue, features: readonly Feature[]): boolean {
  const width = shape[1] ?? -1;
  const columns = features.every(({ type }) => type !== 'tensor');
  const numbers = datatype !== 'BYTES' && datatype !== 'FP16';
  return columns && numbers && shape.length === 2 && (width === -1 || width === features.length);
}

function byName(graph: readonly GraphValue[]): BindInputs {
  return (inputs) => graph.map((value) => feed(value, find(inputs, value.name)));
}

function renamed(value: GraphValue, declaredName: string): BindInputs {
  return (inputs) => [feed(value, find(inputs, declaredName))];
}

function find(inputs: readonly Tensor[], name: string): Tensor {
  const tensor = inputs.find((candidate) => candidate.name === name);
  if (tensor === undefined) throw new IngotError('signature-mismatch', `input "${name}" is missing`);
  return tensor;
}

function feed({ name, datatype, shape }: GraphValue, tensor: Tensor): Feed {
  // A scalar feature comes as [rows]; graphs made from tables take [rows, 1].
  const missing = shape.length - tensor.shape.length;
  const given = missing > 0 ? [...tensor.shape, ...new Array<number>(missing).fill(1)] : tensor.shape;
  return { name, datatype, shape: given, data: convertData(tensor, datatype) };
}

function packed({ name, datatype }: GraphValue, features: readonly Feature[]): BindInputs {
  if (datatype === 'BYTES') throw new IngotError('unexpected', 'text columns cannot be packed');
  return (inputs) => {
    const rows = inputs[0]?.shape[0] ?? 0;
    const data = emptyArray(datatype, rows * features.length);
    for (let column = 0; column < features.length; column++) {
      const feature = features[column]?.name ?? '';
      const tensor = inputs[column]?.name === feature ? inputs[column] : find(inputs, feature);
      if (tensor === undefined || !ArrayBuffer.isView(tensor.data)) {
        throw new IngotError(
          'signature-mismatch',
          `feature "${feature}" must be a number: the graph takes ${datatype}`,
        );
      }
      copyInto(data, column, features.length, tensor.data);
    }
    return [{ name, datatype, shape: [rows, features.length], data }];
  };
}
