import { posix } from 'node:path';
import type { Capture } from '../capture.ts';
import type { Feature, Signature } from '../signature.ts';
import type { FlavorFinding } from './flavors/flavor.ts';
import { metadataSignature, type Places } from './metadata-yaml.ts';
import { type OnnxGraph, readOnnx } from './onnx.ts';
import { type Disagreement, fitInputs, fitOutputs } from './onnx-signature.ts';
import type { Inference, Metadata, Problem } from './package.ts';

/** The signature of a package, and where it is from. */
export interface SignatureChoice {
  readonly signature?: Signature;
  readonly graph?: OnnxGraph;
  readonly inferred: readonly Inference[];
  readonly problems: readonly Problem[];
}

/** What was written by hand, and where. */
export interface WrittenMetadata {
  readonly metadata?: Metadata;
  readonly file?: string;
  readonly places?: Places;
}

/**
 * Chooses the signature: what was written by hand, each side that is missing there from what was captured, else from
 * the model file itself. An ONNX graph must agree with it, else the graph is the truth about itself.
 */
export async function chooseSignature(
  finding: FlavorFinding,
  written: WrittenMetadata,
  captured: Capture | undefined,
  paths: readonly string[],
): Promise<SignatureChoice> {
  const declared = completed(metadataSignature(written.metadata), captured?.signature);
  if (finding.flavor === 'onnx' && finding.artifact !== undefined) {
    const { graph, problems } = await readOnnx(finding.artifact.absolute, finding.artifact.path);
    if (graph === undefined) return { problems, inferred: [] };
    const external = checkExternalData(graph, finding.artifact.path, paths);
    const choice = fitGraph(graph, declared, written);
    return { ...choice, graph, problems: [...problems, ...external, ...choice.problems] };
  }
  const signature = completed(declared, finding.signature);
  if (signature === undefined) return { inferred: [], problems: [] };
  const from = declared === undefined ? 'from the model file' : 'from the model and its data';
  const inferred = signature.origin === 'captured' ? [inference(signature, from)] : [];
  return { signature, inferred, problems: [] };
}

function fitGraph(graph: OnnxGraph, declared: Signature | undefined, written: WrittenMetadata): SignatureChoice {
  const inputs = fitInputs(graph.signature.inputs, declared?.inputs ?? []);
  const outputs = fitOutputs(graph.signature.outputs, declared?.outputs ?? []);
  const signature: Signature = {
    inputs: inputs.features,
    outputs: outputs.features,
    origin: inputs.from === 'declared' ? (declared?.origin ?? 'graph') : 'graph',
  };
  const read = (side: typeof inputs): readonly Feature[] => (side.from === 'graph' ? side.features : []);
  const fromGraph = { ...signature, inputs: read(inputs), outputs: read(outputs) };
  return {
    signature,
    inferred: hasFeatures(fromGraph) ? [inference(fromGraph, 'from the ONNX graph')] : [],
    problems: [
      ...warn(inputs.disagreement, 'input_features', written.metadata?.inputFeatures, written),
      ...warn(outputs.disagreement, 'output', written.metadata?.output, written),
    ],
  };
}

function hasFeatures({ inputs, outputs }: Signature): boolean {
  return inputs.length + outputs.length > 0;
}

/** Only what was written by hand can be mended by hand: what was captured gives way to the graph in silence. */
function warn(
  disagreement: Disagreement | undefined,
  key: string,
  features: readonly Feature[] | undefined,
  { file, places }: WrittenMetadata,
): Problem[] {
  if (disagreement === undefined || features === undefined || features.length === 0) return [];
  const { rule, message, fix, feature } = disagreement;
  const place = places?.get(`${key}.${feature ?? ''}`) ?? places?.get(key);
  return [
    {
      severity: 'warning',
      rule,
      message: `${message}; the graph's own ${key === 'output' ? 'outputs' : 'inputs'} are used`,
      ...(file === undefined ? {} : { file }),
      ...(place === undefined ? {} : { line: place.line, column: place.column }),
      fix,
    },
  ];
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

function inference({ inputs, outputs }: Signature, from: string): Inference {
  const count = (features: readonly Feature[], word: string): string =>
    `${features.length} ${word}${features.length === 1 ? '' : 's'}`;
  const sides = [
    ...(inputs.length === 0 && outputs.length > 0 ? [] : [count(inputs, 'input')]),
    ...(outputs.length === 0 && inputs.length > 0 ? [] : [count(outputs, 'output')]),
  ];
  return { what: 'signature', value: sides.join(', '), from };
}
