import { posix } from 'node:path';
import type { Capture } from '../capture.ts';
import type { Feature, Signature } from '../signature.ts';
import type { FlavorFinding } from './flavors.ts';
import { metadataSignature } from './metadata-yaml.ts';
import { type OnnxGraph, readOnnx } from './onnx.ts';
import type { Inference, Metadata, Problem } from './package.ts';

/** The signature of a package, and where it is from. */
export interface SignatureChoice {
  readonly signature?: Signature;
  readonly graph?: OnnxGraph;
  readonly inferred: readonly Inference[];
  readonly problems: readonly Problem[];
}

/**
 * Chooses the signature: an ONNX graph is the truth about itself (what the metadata says of features with the same
 * names is added); else what was written by hand; else what was captured. Each side missing by hand is filled from
 * what was captured.
 */
export async function chooseSignature(
  finding: FlavorFinding,
  metadata: Metadata | undefined,
  captured: Capture | undefined,
  paths: readonly string[],
): Promise<SignatureChoice> {
  const written = metadataSignature(metadata);
  const declared = completed(written, captured?.signature);
  if (finding.flavor === 'onnx' && finding.artifact !== undefined) {
    const { graph, problems } = await readOnnx(finding.artifact.absolute, finding.artifact.path);
    if (graph === undefined) return { problems, inferred: [] };
    return {
      signature: describe(graph.signature, declared),
      graph,
      problems: [...problems, ...checkExternalData(graph, finding.artifact.path, paths)],
      inferred: [inference(graph.signature, 'from the ONNX graph')],
    };
  }
  if (declared === undefined) return { inferred: [], problems: [] };
  const inferred = declared.origin === 'captured' ? [inference(declared, 'from the model and its data')] : [];
  return { signature: declared, inferred, problems: [] };
}

/** Weights in other files: each must be a file of the package, or the model could never be loaded again. */
function checkExternalData(graph: OnnxGraph, file: string, paths: readonly string[]): Problem[] {
  return graph.externalData.flatMap((location): Problem[] => {
    if (paths.includes(posix.join(posix.dirname(file), location))) return [];
    const name = JSON.stringify(location.slice(0, 80));
    return [
      {
        severity: 'error',
        rule: 'onnx.external-data',
        message: `${file} keeps weights in ${name}, which is not in the package`,
        file,
        fix: 'push the directory that holds both files',
      },
    ];
  });
}

function completed(written: Signature | undefined, captured: Signature | undefined): Signature | undefined {
  if (written === undefined || captured === undefined) return written ?? captured;
  const inputs = written.inputs.length > 0 ? written.inputs : captured.inputs;
  const outputs = written.outputs.length > 0 ? written.outputs : captured.outputs;
  const partial = inputs.length === 0 || outputs.length === 0;
  return { inputs, outputs, origin: 'metadata', ...(partial ? { partial: true } : {}) };
}

/** Adds descriptions, bounds and class names to the graph's features of the same name. */
function describe(graph: Signature, declared: Signature | undefined): Signature {
  const add = (features: readonly Feature[], known: readonly Feature[] | undefined): Feature[] =>
    features.map((feature) => {
      const found = known?.find(({ name }) => name === feature.name);
      if (found === undefined) return feature;
      const { type, dtype, shape, ...rest } = found;
      return { ...rest, ...feature };
    });
  return { ...graph, inputs: add(graph.inputs, declared?.inputs), outputs: add(graph.outputs, declared?.outputs) };
}

function inference({ inputs, outputs }: Signature, from: string): Inference {
  const count = (features: readonly Feature[], word: string): string =>
    `${features.length} ${word}${features.length === 1 ? '' : 's'}`;
  return { what: 'signature', value: `${count(inputs, 'input')}, ${count(outputs, 'output')}`, from };
}
